from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from licenses.history import LATEST_SEARCHED, PULLS_SHOWN, recent_pulls
from licenses.models import License
from tests.support.rows.factories import LicenseFactory, PullEventFactory


@pytest.fixture
def license(db: None) -> License:
    made: License = LicenseFactory()
    return made


def pull(license: License, reference: str, minutes: int, **fields: object) -> None:
    PullEventFactory(
        team=license.team,
        license=license,
        reference=reference,
        last_at=timezone.now() - timedelta(minutes=minutes),
        **fields,
    )


@pytest.mark.parametrize("kinds", [PULLS_SHOWN - 1, PULLS_SHOWN, PULLS_SHOWN + 5])
def test_the_latest_kinds_have_the_total_of_all_their_pulls(
    license: License, kinds: int
) -> None:
    for number in range(kinds):
        pull(license, f"v{number}", minutes=number, count=number + 1)
        pull(license, f"v{number}", minutes=1_000 + number, count=100)
    pull(license, "v0", minutes=2_000, outcome="license_expired", count=7)

    found = recent_pulls(license)

    counted = [(each.reference, each.outcome, each.total) for each in found]
    refused = [("v0", "license_expired", 7)]
    assert (
        counted
        == [
            *((f"v{number}", "allowed", number + 101) for number in range(kinds)),
            *refused,
        ][:PULLS_SHOWN]
    )


def test_kinds_beyond_the_latest_pulls_are_shown_if_there_are_few(
    license: License,
) -> None:
    PullEventFactory.create_batch(
        LATEST_SEARCHED, team=license.team, license=license, reference="busy"
    )
    pull(license, "rare", minutes=60, count=3)

    found = [(each.reference, each.total) for each in recent_pulls(license)]

    assert found == [("busy", LATEST_SEARCHED), ("rare", 3)]
