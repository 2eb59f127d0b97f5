"""``manage.py check_registries``, as operators run it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from registries.models import CredentialCheck, ExternalRegistry
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.fake_registry import FakeRegistry, running_registry

LOGIN = ("sample", "upstream-password-9d2c")


@pytest.fixture
def fake(settings: Any) -> Iterator[FakeRegistry]:
    with running_registry(LOGIN) as registry:
        settings.BERTH_INSECURE_REGISTRIES = [registry.endpoint]
        yield registry


@pytest.fixture
def vendor(db: None, fake: FakeRegistry) -> Vendor:
    """A vendor with two registries, one with a wrong password, and another vendor."""
    create_vendor("rival").connect(fake.endpoint, "theirs", LOGIN)
    vendor = create_vendor("acme")
    vendor.connect(fake.endpoint, "good", LOGIN)
    vendor.connect(fake.endpoint, "bad", ("sample", "wrong-password-41aa"))
    later = timezone.now() + timedelta(hours=1)
    ExternalRegistry.objects.update(next_check_at=later)
    return vendor


def run(*args: str) -> tuple[list[str], str]:
    """Return the lines that the command printed, and its exit code with its error."""
    output = StringIO()
    error_text = ""
    try:
        call_command("check_registries", *args, stdout=output)
    except CommandError as error:
        error_text = f"{error.returncode}: {error}"
    return output.getvalue().splitlines(), error_text


def test_now_checks_at_once_and_prints_a_table(vendor: Vendor) -> None:
    lines, error = run("--team", "acme", "--now")

    cells = [line.split(None, 2) for line in lines]
    assert [row[:2] for row in cells] == [
        ["REGISTRY", "OUTCOME"],
        ["bad", "rejected"],
        ["good", "valid"],
    ]
    assert "refused this username and password" in lines[1]
    assert f"{timezone.now():%Y-%m-%d}" in lines[2]
    assert error == "1: Not valid: 1 of 2."
    assert CredentialCheck.objects.count() == 2
    assert not any("password-" in line for line in lines)


def test_one_registry_that_is_valid_is_no_error(vendor: Vendor) -> None:
    lines, error = run("--team", "acme", "--registry", "good", "--now")

    assert (len(lines), error) == (2, "")
    assert CredentialCheck.objects.get().registry.slug == "good"


def test_without_now_they_are_due(vendor: Vendor) -> None:
    lines, error = run("--team", "acme")

    due = ExternalRegistry.objects.filter(next_check_at__lte=timezone.now())
    assert {registry.slug for registry in due} == {"good", "bad"}
    assert not CredentialCheck.objects.exists()
    assert lines == ["Due now: 2. The workers check them within seconds."]
    assert error == ""


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("--team", "nobody"), "1: Team not found: nobody"),
        (
            ("--team", "acme", "--registry", "theirs"),
            "1: The team acme has no registry theirs.",
        ),
    ],
)
def test_unknown_names_are_reported(
    vendor: Vendor, args: tuple[str, ...], error: str
) -> None:
    assert run(*args, "--now") == ([], error)
    assert not CredentialCheck.objects.exists()
