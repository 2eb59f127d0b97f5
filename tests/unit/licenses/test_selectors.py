"""What searches match, and which pulls stand for many."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from licenses.history import latest_of_each_kind
from licenses.models import Customer, License
from licenses.selectors import contains_text, licenses_for_team, licenses_matching
from registries.models import PullEvent
from teams.models import Team
from tests.support.rows.factories import (
    CustomerFactory,
    LicenseFactory,
    PullEventFactory,
)

# More than are looked up by their IDs.
MANY = 1001


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("crv", True),
        ("RVN", True),  # three letters wherever they are
        ("er", True),  # at the beginning of the name
        ("Łu", True),  # of another word
        ("it", True),  # of the address
        ("łó", True),
        ("7", True),  # of a part of the custom ID
        ("rv", False),  # within a word
        ("1", False),
        ("_r", False),
        ("%", False),
    ],
)
def test_a_text_of_two_letters_begins_a_word(
    team: Team, text: str, *, is_found: bool
) -> None:
    CustomerFactory(
        team=team,
        name="ERCRVNA Łukasz Sp",
        email="it@łódź.example",
        custom_id="CRM-71",
    )

    found = Customer.objects.for_team(team.pk).filter(contains_text(text))

    assert found.exists() is is_found


@pytest.mark.parametrize("others", [0, MANY])
def test_licenses_match_by_their_customer_or_a_value(team: Team, others: int) -> None:
    Customer.objects.bulk_create(
        Customer(team=team, name=f"Acme {number}") for number in range(others)
    )
    acme = CustomerFactory(team=team, name="Acme Foods")
    by_customer = LicenseFactory(team=team, customer=acme)
    by_value = LicenseFactory(team=team, field_values={"order": "for acme"})
    LicenseFactory(team=team, field_values={"order": "for nobody"})
    LicenseFactory(customer__name="Acme elsewhere")

    found = licenses_matching(licenses_for_team(team.pk), team.pk, "ACME")

    assert set(found) == {by_customer, by_value}


def test_licenses_match_by_one_of_many_values(team: Team) -> None:
    license: License = LicenseFactory(team=team, field_values={"order": "acme 0"})
    License.objects.bulk_create(
        LicenseFactory.build(
            team=team,
            customer=license.customer,
            application=license.application,
            channel=license.channel,
            field_values={"order": f"acme {number}"},
        )
        for number in range(1, MANY)
    )
    LicenseFactory(team=team)

    found = licenses_matching(licenses_for_team(team.pk), team.pk, "acme")

    assert found.count() == MANY


def test_the_latest_pull_stands_for_its_kind(team: Team) -> None:
    now = timezone.now()
    minute = timedelta(minutes=1)
    license = LicenseFactory(team=team)
    for ago, repository, reference, count in (
        (3, "api", "v1", 5),
        (2, "web", "v1", 2),
        (1, "api", "v2", 4),
        # At the same instant as another kind.
        (1, "worker", "v1", 1),
        (9, "old", "v1", 1),
    ):
        PullEventFactory(
            license=license,
            team=team,
            repository=repository,
            reference=reference,
            last_at=now - ago * minute,
            count=count,
        )

    pulls = PullEvent.objects.for_team(team.pk)
    latest = latest_of_each_kind(pulls, ("repository",), 3)

    assert [(pull.repository, pull.reference, pull.total) for pull in latest] == [
        ("api", "v2", 9),
        ("worker", "v1", 1),
        ("web", "v1", 2),
    ]
