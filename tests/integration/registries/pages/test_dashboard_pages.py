from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import factory
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from registries.models import PullEvent, PullHour
from registries.models.health import Outcome
from registries.pulls.days import pulls_per_day
from registries.selectors import refusals_since
from teams.models import Membership, Team
from tests.support.rows.factories import (
    ApplicationFactory,
    ExternalRegistryFactory,
    LicenseFactory,
    PullEventFactory,
    pull_credential,
)

ADDRESS = "/t/acme/"
WELL = "Nothing needs attention"


@pytest.fixture
def page(client: Client, viewer: Membership) -> Any:
    client.force_login(viewer.user)

    def get() -> str:
        response = client.get(ADDRESS)
        assert response.status_code == 200
        return response.content.decode()

    return get


@pytest.fixture
def running(team: Team) -> Any:
    """A license whose team has completed the first steps."""
    license = LicenseFactory(team=team)
    PullEventFactory(
        team=team, license=license, registry=ExternalRegistryFactory(team=team)
    )
    return license


def test_a_new_team_sees_the_first_steps(client: Client, owner: Membership) -> None:
    client.force_login(owner.user)

    text = client.get(ADDRESS).content.decode()

    for step in ("registries/add", "new-application", "licenses", "manifest"):
        assert f'href="/t/acme/{step}"' in text
    assert text.count("To do:") == 4
    assert WELL not in text
    assert "No pulls in the last 30 days." in text


def test_completed_steps_are_ticked(page: Any, team: Team) -> None:
    ExternalRegistryFactory(team=team)
    ApplicationFactory(team=team)

    text = page()

    assert (text.count("Done:"), text.count("To do:")) == (2, 2)


def test_a_viewer_is_offered_no_changes(page: Any) -> None:
    text = page()

    assert 'href="/t/acme/registries/add"' not in text
    assert 'href="/t/acme/new-application"' not in text


def test_nothing_needs_attention(page: Any, running: Any) -> None:
    text = page()

    assert WELL in text
    assert "Get started" not in text
    assert "Needs attention" not in text


@pytest.mark.parametrize("health", [health for health in Outcome if health != "valid"])
def test_a_failing_registry_is_listed(
    page: Any, running: Any, team: Team, health: Outcome
) -> None:
    registry = ExternalRegistryFactory(
        team=team, health=health.value, health_checked_at=timezone.now()
    )

    text = page()

    assert f'href="/t/acme/registries/{registry.pk}">{registry.slug}</a>' in text
    assert WELL not in text


@pytest.mark.parametrize("health", ["", "valid"])
def test_a_valid_or_unchecked_registry_is_not_listed(
    page: Any, running: Any, team: Team, health: str
) -> None:
    ExternalRegistryFactory(team=team, health=health)

    assert WELL in page()


@pytest.mark.parametrize(
    ("days", "says"), [(29, "Expiring"), (-6, "Expired"), (31, ""), (-8, "")]
)
def test_expiring_and_expired_licenses_are_listed(
    page: Any, running: Any, team: Team, days: int, says: str
) -> None:
    license = LicenseFactory(
        team=team, expires_at=timezone.now() + timedelta(days=days)
    )

    text = page()

    link = f'href="/t/acme/licenses/{license.pk}"'
    assert (link in text, WELL in text) == (bool(says), not says)
    assert f">{says}</span>" in text or not says


def test_unusable_licenses_are_not_listed(page: Any, running: Any, team: Team) -> None:
    soon = timezone.now() + timedelta(days=3)
    LicenseFactory(team=team, expires_at=soon, revoked=True)
    LicenseFactory(team=team, expires_at=soon, customer__archived_at=timezone.now())

    assert WELL in page()


def test_refused_pulls_are_counted_by_reason_license_and_image(
    page: Any, running: Any, team: Team
) -> None:
    for hours, reference in ((1, "v1"), (2, "v2")):
        PullEventFactory(
            team=team,
            license=running,
            holder=f"license:{running.pk}",
            repository="quay.io/my-org/api",
            reference=reference,
            outcome="license_revoked",
            count=1_000,
            last_at=timezone.now() - timedelta(hours=hours),
        )

    text = page()

    assert text.count("License revoked") == 1
    assert "2,000 times" in text
    assert (
        f'href="/t/acme/why?license={running.pk}&amp;'
        'image=proxy/my-app/quay.io/my-org/api:v2"'
    ) in text


def test_refused_pulls_older_than_a_week_are_not_listed(
    page: Any, running: Any, team: Team
) -> None:
    PullEventFactory(
        team=team, outcome="license_revoked", last_at=timezone.now() - timedelta(days=8)
    )

    assert WELL in page()


def test_long_sections_link_to_the_full_list(
    page: Any, running: Any, team: Team
) -> None:
    for number in range(9):
        PullEventFactory(
            team=team, outcome="license_revoked", repository=f"quay.io/r{number}"
        )
        ExternalRegistryFactory(team=team, health="rejected")
        LicenseFactory(team=team, expires_at=timezone.now() + timedelta(days=1))

    text = page()

    assert text.count("License revoked") == 8
    assert 'href="/t/acme/pulls?outcome=refused"' in text
    assert 'href="/t/acme/licenses?state=expiring"' in text
    assert "All registries" in text


def test_nothing_of_another_team_is_shown(
    page: Any, running: Any, other_team: Team
) -> None:
    PullEventFactory(team=other_team, outcome="license_revoked", count=987_654)
    ExternalRegistryFactory(team=other_team, health="rejected")
    LicenseFactory(team=other_team, expires_at=timezone.now() + timedelta(days=1))

    text = page()

    assert WELL in text
    assert "987,654" not in text


def test_the_chart_and_the_table_have_the_same_numbers(
    page: Any, running: Any, team: Team
) -> None:
    PullEvent.objects.all().delete()
    PullHour.objects.all().delete()
    PullEventFactory(team=team, license=running, count=1_200)
    PullEventFactory(team=team, license=running, outcome="license_expired", count=34)

    text = page()

    assert "1,200 allowed, 34 refused</title>" in text
    day = PullEvent.objects.filter(count=34).get().last_at.date()
    of_day = f"/t/acme/pulls?first_day={day}&amp;last_day={day}"
    assert f'<a href="{of_day}"><title>{day:%a} {day.day}' in text
    assert "<td>1,200</td><td>34</td>" in text
    assert text.count('<tr><th scope="row"') == 30
    assert "style=" not in text


def test_a_day_of_the_chart_leads_to_its_pulls(
    client: Client, page: Any, running: Any, team: Team
) -> None:
    PullEvent.objects.all().delete()
    PullHour.objects.all().delete()
    before = timezone.now() - timedelta(days=2)
    PullEventFactory(team=team, license=running, last_at=before, hour=before, count=7)
    PullEventFactory(team=team, license=running, repository="quay.io/of/today")

    (address,) = re.findall(r'<a href="([^"]*)"><title>[^<]*: 7 allowed', page())
    found = client.get(address.replace("&amp;", "&")).context["pulls"]

    assert [row.pull.count for row in found] == [7]


def test_days_are_those_of_the_teams_time_zone(team: Team) -> None:
    recent = datetime.now(UTC).replace(hour=23, minute=0, second=0, microsecond=0)
    recent -= timedelta(days=3)
    PullEventFactory(team=team, hour=recent, count=5)

    with timezone.override("Asia/Tokyo"):
        (tokyo,) = [day for day in pulls_per_day(team.pk) if day.total]
    with timezone.override("UTC"):
        (utc,) = [day for day in pulls_per_day(team.pk) if day.total]

    assert utc.day == recent.date()
    assert tokyo.day == recent.date() + timedelta(days=1)
    assert (tokyo.allowed, tokyo.refused) == (5, 0)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Berlin"])
def test_the_last_30_days_are_all_there(team: Team, zone: str) -> None:
    with timezone.override(zone):
        days = [row.day for row in pulls_per_day(team.pk)]
        assert days[-1] == timezone.localdate()

    assert days == [days[0] + timedelta(days=n) for n in range(30)]


def test_refusals_without_a_license_are_listed(team: Team) -> None:
    PullEventFactory(
        team=team, holder=f"api-token:{uuid.uuid4()}", outcome="application_mismatch"
    )

    (refusal,) = refusals_since(team.pk, timezone.now() - timedelta(days=7))

    assert refusal.license is None
    assert refusal.pull.outcome_in_words == "Wrong application"


def test_a_refused_pull_names_its_pull_credential(page: Any, team: Team) -> None:
    license = LicenseFactory(team=team)
    for name in ("farm", "laptop"):
        row, _ = pull_credential(license, name=name)
        PullEventFactory.create_batch(
            2,
            team=team,
            license=license,
            hour=factory.Sequence(lambda n: timezone.now() - timedelta(hours=n)),
            holder=f"pull-credential:{row.pk}",
            credential_id=row.pk,
            credential_name=name,
            outcome="network_not_allowed",
        )
    PullEventFactory(team=team, license=license, outcome="license_expired")

    text = page()

    details = re.findall(r'<span class="text-secondary">([^<]* time[^<]*|once)<', text)
    assert sorted(details) == ["2 times with farm", "2 times with laptop", "once"]


def test_one_list_groups_by_customer_with_what_to_do(
    client: Client, owner: Membership, running: Any, team: Team
) -> None:
    PullEvent.objects.exclude(outcome="allowed").delete()
    PullHour.objects.update(refused=0)
    soon = timezone.now() + timedelta(days=3)
    license = LicenseFactory(team=team, expires_at=soon)
    PullEventFactory(
        team=team,
        license=license,
        holder=f"license:{license.pk}",
        outcome="repository_not_allowed",
    )
    registry = ExternalRegistryFactory(team=team, health="rejected")
    client.force_login(owner.user)

    found = client.get(ADDRESS).context["attention"]

    assert [(group.name, len(group.lines)) for group in found.groups] == [
        ("Your registries", 1),
        (license.customer.name, 2),
    ]
    lines = [line for group in found.groups for line in group.lines]
    assert [line.action for line in lines] == ["Replace credential", "Renew", "Why?"]
    assert lines[0].action_url == f"/t/acme/registries/{registry.pk}/credential"
    assert lines[1].action_url == f"/t/acme/licenses/renew?id={license.pk}"
    assert lines[2].action_url.startswith("/t/acme/why?license=")


def test_a_registry_that_does_not_answer_is_checked_by_a_click(
    client: Client, owner: Membership, team: Team
) -> None:
    registry = ExternalRegistryFactory(team=team, health="unreachable")
    client.force_login(owner.user)

    page = client.get(ADDRESS).content.decode()

    assert f'method="post" action="/t/acme/registries/{registry.pk}/check"' in page


def test_who_may_change_nothing_is_offered_only_reasons(
    client: Client, viewer: Membership, running: Any, team: Team
) -> None:
    LicenseFactory(team=team, expires_at=timezone.now() + timedelta(days=3))
    ExternalRegistryFactory(team=team, health="rejected")
    client.force_login(viewer.user)

    found = client.get(ADDRESS).context["attention"]

    lines = [line for group in found.groups for line in group.lines]
    assert [line.action for line in lines] == ["", ""]


def test_numbers_are_compared_with_the_week_before(
    client: Client, viewer: Membership, running: Any, team: Team
) -> None:
    PullEvent.objects.all().delete()
    PullHour.objects.all().delete()
    now = timezone.now()
    for days, outcome, count in (
        (0, "allowed", 30),
        (8, "allowed", 40),
        (20, "allowed", 500),
        (1, "license_expired", 7),
    ):
        at = now - timedelta(days=days)
        PullEventFactory(
            team=team,
            license=running,
            outcome=outcome,
            count=count,
            hour=at.replace(minute=0, second=0, microsecond=0),
            last_at=at,
        )
    LicenseFactory(team=team, expires_at=now - timedelta(days=2))
    LicenseFactory(team=team, expires_at=now + timedelta(days=2))
    LicenseFactory(team=team, revoked=True)
    client.force_login(viewer.user)

    numbers = client.get(ADDRESS).context["numbers"]

    assert [(number.value, number.trend) for number in numbers] == [
        (2, "4 issued in 30 days"),
        (1, "1 expired in 7 days"),
        (30, "\N{MINUS SIGN}25 % on the week before"),
        (7, "none in the week before"),
    ]


@pytest.mark.parametrize(
    ("query", "shown"), [("", 30), ("?days=7", 7), ("?days=90", 90), ("?days=8", 30)]
)
def test_the_chart_has_the_range_that_was_chosen(
    client: Client, viewer: Membership, running: Any, query: str, shown: int
) -> None:
    client.force_login(viewer.user)

    assert len(client.get(f"{ADDRESS}{query}").context["chart"].days) == shown


@pytest.mark.parametrize("rows", [1, 30])
def test_queries_do_not_grow_with_rows(
    client: Client,
    viewer: Membership,
    team: Team,
    rows: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client.force_login(viewer.user)
    for number in range(rows):
        license = LicenseFactory(
            team=team, expires_at=timezone.now() + timedelta(days=1)
        )
        ExternalRegistryFactory(team=team, health="rejected")
        PullEventFactory(team=team, license=license)
        PullEventFactory(
            team=team,
            license=license,
            outcome="license_revoked",
            repository=f"quay.io/r{number}",
        )
        PullEventFactory(
            team=team,
            holder=f"api-token:{uuid.uuid4()}",
            outcome="registry_not_connected",
        )
    client.get(ADDRESS)

    with django_assert_num_queries(13):
        client.get(ADDRESS)


def test_roles(
    client: Client, support: Membership, member: Membership, outsider: Membership
) -> None:
    statuses = []
    for membership in (support, member, outsider):
        client.force_login(membership.user)
        statuses.append(client.get(ADDRESS).status_code)

    assert statuses == [200, 200, 404]
