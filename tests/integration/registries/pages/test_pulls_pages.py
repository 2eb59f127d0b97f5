from __future__ import annotations

import csv
import io
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from teams.models import Membership, Team
from tests.support.rows.factories import (
    ApiTokenFactory,
    ApplicationFactory,
    ExternalRegistryFactory,
    LicenseFactory,
    PullEventFactory,
    UserFactory,
)

ADDRESS = "/t/acme/pulls"
DIGEST = "sha256:" + "0" * 64


@pytest.fixture
def page(client: Client, viewer: Membership) -> Any:
    client.force_login(viewer.user)

    def get(**query: str) -> str:
        response = client.get(ADDRESS, query)
        assert response.status_code == 200
        return response.content.decode()

    return get


@pytest.fixture
def license(team: Team) -> Any:
    return LicenseFactory(team=team, customer__name="Northwind")


def test_empty_list_links_to_image_names(page: Any) -> None:
    text = page()

    assert "No pulls yet" in text
    assert 'href="/t/acme/images"' in text


def test_pulls_are_shown_newest_first(page: Any, team: Team, license: Any) -> None:
    earlier = timezone.now() - timedelta(hours=3)
    PullEventFactory(team=team, license=license, repository="quay.io/new", count=1_234)
    PullEventFactory(
        team=team, license=license, repository="quay.io/old", last_at=earlier
    )

    text = page()

    assert text.index("quay.io/new:v1.0.1") < text.index("quay.io/old:v1.0.1")
    assert f'href="/t/acme/licenses/{license.pk}">Northwind</a>' in text
    assert "1,234" in text
    assert "Allowed</span>" in text


def test_pulls_answered_while_the_registry_was_unavailable_say_so(
    page: Any, team: Team, license: Any
) -> None:
    PullEventFactory(team=team, license=license, count=5_000, stale=1_234)
    PullEventFactory(team=team, license=license, repository="quay.io/fresh")

    text = page()

    assert text.count("from the cache: the registry was unavailable") == 1
    assert "1,234 from the cache: the registry was unavailable" in text


def test_a_refused_pull_links_to_its_explanation(
    page: Any, team: Team, license: Any
) -> None:
    PullEventFactory(
        team=team,
        license=license,
        repository="quay.io/my-org/api",
        reference=DIGEST,
        outcome="registry_not_shared",
    )

    text = page()

    assert "Registry not shared</span>" in text
    assert (
        f'href="/t/acme/why?license={license.pk}&amp;'
        f'image=proxy/my-app/quay.io/my-org/api@{DIGEST}"'
    ) in text


def test_other_holders_have_names_too(page: Any, team: Team) -> None:
    token = ApiTokenFactory(team=team, name="robot")
    stranger = UserFactory(email="stranger@example.com")
    for holder in (
        f"api-token:{token.pk}",
        f"user:{stranger.pk}",
        f"api-token:{uuid.uuid4()}",
        "api-token:nonsense",
    ):
        PullEventFactory(team=team, holder=holder, outcome="application_mismatch")

    text = page()

    assert "API token robot" in text
    assert f"why?holder=api-token:{token.pk}&amp;image=" in text
    assert text.count("Removed user or token") == 3
    assert "stranger@example.com" not in text


def test_pulls_of_very_many_names_have_none(page: Any, team: Team) -> None:
    PullEventFactory(
        team=team, repository="*", reference="*", outcome="license_revoked"
    )

    text = page()

    assert "many images" in text
    assert "image=" not in text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, {"a", "b", "c", "d"}),
        ({"outcome": "allowed"}, {"a", "b"}),
        ({"outcome": "refused"}, {"c", "d"}),
        ({"outcome": "license_expired"}, {"c"}),
        ({"outcome": "customer_archived"}, set()),
        ({"outcome": "nonsense"}, set()),
        ({"application": "other"}, {"b"}),
        ({"registry": "sample"}, {"a", "d"}),
        ({"registry": "sample", "outcome": "allowed"}, {"a"}),
        ({"registry": "sample", "outcome": "refused"}, {"d"}),
        ({"registry": "nowhere"}, set()),
        ({"search": "quay.io/org/"}, {"a", "b", "c"}),
        ({"search": " Quay.IO/org/b "}, {"b"}),
        ({"search": "org/b"}, set()),
        ({"search": "quay.io/%"}, set()),
        ({"search": "Quay.IO/org/b:"}, {"b"}),
        ({"search": "quay.io/org/b:v1.0"}, {"b"}),
        ({"search": "quay.io/org/b:V1"}, set()),
        ({"search": "quay.io/org/b@sha256:"}, set()),
        ({"search": "quay.io/org/:"}, set()),
        ({"search": "quay.io:443/org"}, set()),
        ({"license": str(uuid.uuid4())}, set()),
        ({"license": "nonsense"}, set()),
    ],
)
def test_filters(page: Any, team: Team, query: dict[str, str], shown: set[str]) -> None:
    registry = ExternalRegistryFactory(team=team, slug="sample")
    ApplicationFactory(team=team, slug="other")
    PullEventFactory(team=team, repository="quay.io/org/a", registry=registry)
    PullEventFactory(team=team, repository="quay.io/org/b", application_slug="other")
    PullEventFactory(team=team, repository="quay.io/org/c", outcome="license_expired")
    PullEventFactory(
        team=team, repository="sample/org/d", outcome="repository_not_allowed"
    )

    text = page(**query)

    assert {name for name in "abcd" if f"org/{name}:v1.0.1" in text} == shown
    if not shown:
        assert "No pull matches" in text


def test_filter_by_customer(
    client: Client, page: Any, team: Team, other_team: Team, license: Any
) -> None:
    license.customer.email = "it@northwind.example"
    license.customer.save()
    PullEventFactory(team=team, license=license, repository="quay.io/mine")
    PullEventFactory(team=team, license=LicenseFactory(team=team), repository="other/x")
    PullEventFactory(team=team, repository="our/own")
    theirs = LicenseFactory(team=other_team, customer__name="Northwind")
    PullEventFactory(team=other_team, license=theirs, repository="quay.io/theirs")

    for text in ("northw", "IT@north", str(license.customer_id)):
        rows = client.get(ADDRESS, {"customer": text}).context["pulls"]
        assert [row.pull.repository for row in rows] == ["quay.io/mine"], text
    for text in ("nobody", str(theirs.customer_id)):
        assert "No pull matches" in page(customer=text)


def test_an_image_is_found_as_it_is_pasted(
    client: Client, viewer: Membership, team: Team, license: Any, settings: Any
) -> None:
    settings.BERTH_PROXY_HOST = "images.acme.example"
    PullEventFactory(team=team, license=license, repository="quay.io/my-org/api")
    PullEventFactory(team=team, license=license, repository="quay.io/my-org/web")
    client.force_login(viewer.user)
    image = "images.acme.example/proxy/my-app/quay.io/my-org/api:v1.0.1"

    for text in (image, f"docker pull {image}", "docker://quay.io/my-org/api"):
        rows = client.get(ADDRESS, {"search": text}).context["pulls"]
        assert [row.pull.repository for row in rows] == ["quay.io/my-org/api"], text


def test_an_image_leads_to_how_to_pull_it_and_a_digest_is_short(
    page: Any, team: Team, license: Any, settings: Any
) -> None:
    settings.BERTH_PROXY_HOST = "images.acme.example"
    PullEventFactory(team=team, license=license, repository="q/a", reference=DIGEST)

    text = page()

    assert (
        f"application=my-app&amp;image=images.acme.example/proxy/my-app/q/a@{DIGEST}"
        in text
    )
    assert f'q/a@<span title="{DIGEST}">sha256:00000000…00000000</span>' in text


def test_filter_by_license(page: Any, team: Team, license: Any) -> None:
    PullEventFactory(team=team, license=license, repository="quay.io/mine")
    PullEventFactory(team=team, license=LicenseFactory(team=team), repository="other/x")

    text = page(license=str(license.pk), outcome="allowed")

    assert "quay.io/mine" in text
    assert "other/x" not in text
    assert 'href="?outcome=allowed">Clear license filter' in text
    assert f'name="license" value="{license.pk}"' in text


def test_list_has_pages(page: Any, team: Team) -> None:
    now = timezone.now()
    for number in range(30):
        PullEventFactory(
            team=team,
            repository=f"quay.io/r{number:02}",
            last_at=now - timedelta(minutes=number),
        )

    first = page()

    assert "quay.io/r24" in first
    assert "quay.io/r25" not in first
    cursor = first.partition("?page=")[2].partition('"')[0]
    second = page(page=cursor)
    assert "quay.io/r24" not in second
    assert "quay.io/r25" in second


def test_a_filter_replaces_only_the_list(client: Client, viewer: Membership) -> None:
    client.force_login(viewer.user)

    response = client.get(ADDRESS, {"search": "x"}, headers={"HX-Request": "true"})

    assert b"<html" not in response.content
    assert b"No pull matches" in response.content


def test_nothing_of_another_team_is_shown(
    page: Any, team: Team, other_team: Team
) -> None:
    theirs = LicenseFactory(team=other_team)
    PullEventFactory(team=other_team, license=theirs, repository="quay.io/secret")
    registry = ExternalRegistryFactory(team=other_team, slug="their-registry")
    ApplicationFactory(team=other_team, slug="their-app")

    for query in ({}, {"license": str(theirs.pk)}, {"registry": registry.slug}):
        text = page(**query)
        assert "quay.io/secret" not in text
        assert "Only pulls with the license" not in text
        assert 'value="their' not in text


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
        license = LicenseFactory(team=team)
        ExternalRegistryFactory(team=team)
        PullEventFactory(team=team, license=license, outcome="license_revoked")
        token = ApiTokenFactory(team=team)
        PullEventFactory(
            team=team, holder=f"api-token:{token.pk}", repository=f"quay.io/r{number}"
        )
    client.get(ADDRESS)

    with django_assert_num_queries(10):
        client.get(ADDRESS)


def test_roles(
    client: Client, support: Membership, member: Membership, outsider: Membership
) -> None:
    statuses = []
    for membership in (support, member, outsider):
        client.force_login(membership.user)
        statuses.append(client.get(ADDRESS).status_code)

    assert statuses == [200, 200, 404]


def test_refused_pulls_match_every_name_of_their_registry(
    page: Any, client: Client, team: Team
) -> None:
    registry = ExternalRegistryFactory(
        team=team, slug="hub", provider="dockerhub", endpoint="index.docker.io"
    )
    ExternalRegistryFactory(team=team, slug="hub2")
    for name in ("hub/a", "docker.io/b", "index.docker.io/c", "hub2/d", "docker.iox/e"):
        PullEventFactory(team=team, repository=name, outcome="license_expired")
    PullEventFactory(team=team, repository="hub/elsewhere")

    for text in (
        page(registry="hub"),
        page(registry="hub", outcome="refused"),
        page(registry="hub", outcome="license_expired"),
        client.get(f"/t/acme/registries/{registry.pk}").content.decode(),
    ):
        for name in ("hub/a:", "docker.io/b:", "index.docker.io/c:"):
            assert name in text
        for name in ("hub2/d:", "docker.iox/e:", "hub/elsewhere:"):
            assert name not in text


@pytest.mark.parametrize(
    ("query", "versions"),
    [
        ("", ["v3", "v2", "v1"]),
        ("sort=last", ["v1", "v2", "v3"]),
        ("first_day=2026-03-02", ["v3", "v2"]),
        ("last_day=2026-03-01", ["v1"]),
        ("first_day=2026-03-02&last_day=2026-03-02", ["v2"]),
    ],
)
def test_days_and_order_are_of_the_page_and_of_the_csv(
    query: str, versions: list[str], client: Client, viewer: Membership, license: Any
) -> None:
    team = license.team
    team.time_zone = "Asia/Tokyo"  # nine hours ahead
    team.save()
    days = ((1, 14, 59), (1, 15, 0), (2, 15, 0))
    for number, (day, hour, minute) in enumerate(days, start=1):
        at = datetime(2026, 3, day, hour, minute, tzinfo=UTC)
        PullEventFactory(
            team=team, license=license, reference=f"v{number}", last_at=at, hour=at
        )
    client.force_login(viewer.user)

    shown = client.get(f"{ADDRESS}?{query}").context["page"].rows
    response: Any = client.get(f"{ADDRESS}.csv?{query}")
    text = b"".join(response.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))

    assert [pull.reference for pull in shown] == versions
    assert [row["reference"] for row in rows] == versions
    assert {row["pulled_by"] for row in rows} == {"Northwind"}
