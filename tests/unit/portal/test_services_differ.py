"""Settings that must not have the same value stop the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import portal.settings"],
        env=os.environ | environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"BERTH_PROXY_SERVICE": "one", "BERTH_REGISTRY_SERVICE": "one"},
        {"BERTH_PROXY_SERVICE": "berth-registry"},
        {"BERTH_REGISTRY_SERVICE": "berth-proxy"},
    ],
)
def test_proxy_and_private_registry_are_two_services(
    environment: dict[str, str],
) -> None:
    started = start(**environment)

    assert started.returncode != 0
    assert (
        "ImproperlyConfigured: Give BERTH_PROXY_SERVICE and BERTH_REGISTRY_SERVICE "
        "different values" in started.stderr
    )


def test_with_two_names_the_settings_are_taken() -> None:
    started = start(BERTH_PROXY_SERVICE="one", BERTH_REGISTRY_SERVICE="two")

    assert started.returncode == 0, started.stderr
