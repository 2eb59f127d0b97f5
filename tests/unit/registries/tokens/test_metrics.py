from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registries.tokens.metrics import collect


def test_the_end_of_the_signing_key() -> None:
    (family,) = collect()
    (sample,) = family.samples
    assert sample.name == "berth_signing_key_end_seconds"
    left = datetime.fromtimestamp(sample.value, UTC) - datetime.now(UTC)
    # Made for these tests.
    assert timedelta(days=364) < left < timedelta(days=366)


@pytest.mark.parametrize("text", ["", "no key"])
def test_a_process_without_a_usable_key(settings: Any, text: str) -> None:
    settings.BERTH_TOKEN_SIGNING_KEY = text
    assert list(collect()) == []
