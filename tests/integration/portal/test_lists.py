"""Lists: ordered, counted and filtered by time, in pages that miss nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from licenses.models import Customer, License
from teams.models import Team
from tests.integration.test_outsiders import (
    LIST,
    OBJECT,
    address,
    every,
    patterns,
)
from tests.support.clients.api import ApiClient
from tests.support.rows.factories import (
    AlertFactory,
    ApplicationFactory,
    ContactFactory,
    CredentialCheckFactory,
    CustomerFactory,
    CustomerLinkFactory,
    ExternalRegistryFactory,
    InvitationFactory,
    LicenseFactory,
    PullCredentialFactory,
    PullEventFactory,
    RegistryShareFactory,
    ServiceAccountFactory,
    WebhookFactory,
)
from tests.support.rows.world import World, make_world

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
NEVER = "9999"  # sorts after all instants


@pytest.fixture
def world(team: Team) -> World:
    return make_world(team)


def pages(api: ApiClient, path: str) -> list[dict[str, Any]]:
    """Return the rows of all pages."""
    rows: list[dict[str, Any]] = []
    following: str | None = path
    while following:
        answer = api.get(following.partition("/api/v1")[2] or following)
        assert answer.status_code == 200
        rows += answer.json()["results"]
        following = answer.json()["next"]
    return rows


def names(api: ApiClient, path: str) -> list[str]:
    return [row["name"] for row in pages(api, path)]


def test_every_list_is_ordered_and_counted(owner_api: ApiClient, world: World) -> None:
    number = 0
    for route, method in every(LIST, OBJECT):
        view = patterns()[route].callback.cls  # type: ignore[attr-defined]  # a class view
        path = address(route, world.ids)
        if method != "get" or "results" not in owner_api.get(path).content.decode():
            continue
        for name in view.orderings:
            for ordering in (name, f"-{name}"):
                query = f"?ordering={ordering}&total=true&page_size=100"
                shown = owner_api.get(f"{path}{query}").json()
                assert shown["total"] == len(shown["results"]), path
                values = [row[name] or NEVER for row in shown["results"]]
                is_reverse = ordering.startswith("-")
                assert values == sorted(values, reverse=is_reverse), path
        for wrong in ("ordering=id", "ordering=", "total=1", "nope=1"):
            refused = owner_api.get(f"{path}?{wrong}")
            assert refused.status_code == 400, path
            assert list(refused.json()["errors"]) == [wrong.partition("=")[0]]
        assert "total" not in owner_api.get(path).json()
        number += 1
    assert number >= 24


@pytest.mark.parametrize("ordering", ["name", "-name", "updated_at", "-created_at"])
def test_pages_of_any_order_show_every_row_once(
    ordering: str, owner_api: ApiClient
) -> None:
    for name in ("b", "a", "b", "c", "b", "a", "b"):
        CustomerFactory(team=owner_api.team, name=name)
    Customer.objects.filter(name="a").update(created_at=BEGIN)

    rows = pages(owner_api, f"/customers?ordering={ordering}&page_size=2&total=true")

    assert len({row["id"] for row in rows}) == len(rows) == 7
    values = [row[ordering.removeprefix("-")] for row in rows]
    assert values == sorted(values, reverse=ordering.startswith("-"))


def test_a_cursor_of_another_order_is_refused_or_of_no_harm(
    owner_api: ApiClient,
) -> None:
    CustomerFactory.create_batch(3, team=owner_api.team)
    first = owner_api.get("/customers?ordering=name&page_size=1").json()["next"]
    cursor = first.partition("cursor=")[2].partition("&")[0]

    answer = owner_api.get(f"/customers?cursor={cursor}")

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["cursor"]


def test_lists_are_filtered_by_time(owner_api: ApiClient) -> None:
    for day, name in enumerate(("old", "middle", "new")):
        customer = CustomerFactory(team=owner_api.team, name=name)
        at = BEGIN + timedelta(days=day)
        Customer.objects.filter(pk=customer.pk).update(created_at=at)

    assert names(owner_api, "/customers?created_after=2026-03-02T00:00:00Z") == [
        "new",
        "middle",
    ]
    assert names(owner_api, "/customers?created_before=2026-03-02T00:00:00Z") == ["old"]
    both = "created_after=2026-03-02T00:00:00Z&created_before=2026-03-03T00:00:00Z"
    assert names(owner_api, f"/customers?{both}") == ["middle"]
    assert owner_api.get("/customers?created_after=yesterday").status_code == 400


def test_lists_are_filtered_by_what_they_belong_to(owner_api: ApiClient) -> None:
    team = owner_api.team
    one: License = LicenseFactory(
        team=team, application__slug="one", customer__custom_id="CRM/1"
    )
    other = LicenseFactory(team=team, application__slug="other")
    for license, repository in ((one, "org/api"), (other, "org/web")):
        PullEventFactory(team=team, license=license, repository=repository)
    ended = PullCredentialFactory(license=one, revoked_at=BEGIN)
    PullCredentialFactory(license=one)

    def found(path: str) -> list[str]:
        return [row["id"] for row in pages(owner_api, path)]

    customer, channel = one.customer_id, one.channel
    for query in (f"customer={customer}", "customer=CRM/1", "application=one"):
        assert found(f"/licenses?{query}") == [str(one.pk)]
    assert found(f"/licenses?channel={channel.pk}") == [str(one.pk)]
    assert len(found(f"/licenses?channel={channel.slug}")) == 2
    assert found("/customers?application=one") == [str(customer)]
    assert found("/customers?application=none") == []
    pulls = pages(owner_api, f"/pulls?customer={customer}")
    assert [row["license"] for row in pulls] == [str(one.pk)]
    assert len(found("/pulls?repository=org/")) == 2
    assert len(found("/pulls?repository=org/w")) == 1
    assert len(found("/pulls?after=2020-01-01T00:00:00Z")) == 2
    assert found("/pulls?before=2020-01-01T00:00:00Z") == []
    credentials = f"/licenses/{one.pk}/pull-credentials"
    assert found(f"{credentials}?state=ended") == [str(ended.pk)]
    assert len(found(f"{credentials}?state=current")) == 1


def test_pulls_are_found_by_names_as_by_ids(owner_api: ApiClient) -> None:
    team = owner_api.team
    license: License = LicenseFactory(
        team=team, application__slug="one", customer__custom_id="crm-1"
    )
    PullEventFactory(team=team, license=license, application_slug="one")
    PullEventFactory(
        team=team, license=license, application_slug="old", outcome="license_revoked"
    )
    stranger = LicenseFactory(customer__custom_id="crm-1", application__slug="theirs")
    PullEventFactory(team=stranger.team, license=stranger, application_slug="one")

    def slugs(query: str) -> list[str]:
        rows = pages(owner_api, f"/pulls?{query}")
        return sorted(row["application"] for row in rows)

    for customer in (license.customer_id, "crm-1"):
        assert slugs(f"customer={customer}") == ["old", "one"]
    assert slugs("customer=crm-2") == slugs(f"customer={stranger.customer_id}") == []
    assert slugs(f"application={license.application_id}") == ["one"]
    assert slugs("application=old") == ["old"]
    assert slugs(f"application={stranger.application_id}") == []
    assert slugs("outcome=refused") == slugs("outcome=license_revoked") == ["old"]
    assert slugs("outcome=allowed") == ["one"]


def test_registries_are_found_by_application(owner_api: ApiClient) -> None:
    team = owner_api.team
    one = ApplicationFactory(team=team, slug="one")
    ApplicationFactory(team=team, slug="other")
    ApplicationFactory(slug="theirs")
    ExternalRegistryFactory(team=team, slug="all.example")
    few = ExternalRegistryFactory(team=team, slug="few.example", shared_with_all=False)
    RegistryShareFactory(registry=few, application=one)

    def slugs(application: object) -> list[str]:
        rows = pages(owner_api, f"/registries?application={application}&ordering=slug")
        return [row["slug"] for row in rows]

    assert slugs("one") == slugs(one.pk) == ["all.example", "few.example"]
    assert slugs("other") == ["all.example"]
    assert slugs("theirs") == slugs("none") == []


@pytest.mark.parametrize(
    ("path", "matching", "other"),
    [
        ("registries/<str:registry>/checks", "outcome=valid", "outcome=rejected"),
        ("webhooks", "state=enabled&name=ci", "state=disabled"),
        ("alerts", "subject=INITECH", "subject=globex"),
        ("members", "role=owner", "role=sales"),
        ("service-accounts", "name=ci&role=developer", "name=cd"),
        ("invitations", "email=NEW@acme.example&role=sales", "role=owner"),
        (
            "customers/<str:customer_id>/contacts",
            "role=administrator&email=JO@initech.example",
            "role=reader",
        ),
    ],
)
def test_lists_of_a_team_are_filtered_by_state_and_name(
    owner_api: ApiClient, path: str, matching: str, other: str
) -> None:
    team = owner_api.team
    world = make_world(team)
    CredentialCheckFactory(registry=world.registry, outcome="valid")
    WebhookFactory(team=team, name="ci")
    AlertFactory(team=team, event="license.expired", subject_label="Initech, One")
    ServiceAccountFactory(team=team, name="ci", role="developer")
    InvitationFactory(team=team, email="new@acme.example", role="sales")
    ContactFactory(
        customer=world.license.customer,
        email="jo@initech.example",
        role="administrator",
    )
    at = address(path, world.ids)

    assert pages(owner_api, f"{at}?{matching}")
    rows = {row["id"] for row in pages(owner_api, f"{at}?{matching}")}
    assert not rows & {row["id"] for row in pages(owner_api, f"{at}?{other}")}


def test_links_are_filtered_by_what_became_of_them(owner_api: ApiClient) -> None:
    contact = ContactFactory(customer__team=owner_api.team)
    now = timezone.now()
    later = now + timedelta(days=7)
    made: dict[str, dict[str, Any]] = {
        "sent": {},
        "opened": {"opened_at": now},
        "used": {"opened_at": now, "used_at": now, "expires_at": now},
        "withdrawn": {"withdrawn_at": now},
        "expired": {"opened_at": now, "expires_at": now},
    }
    for fields in made.values():
        CustomerLinkFactory(contact=contact, **({"expires_at": later} | fields))
    path = f"/customers/{contact.customer_id}/links"

    for state in made:
        assert [row["state"] for row in pages(owner_api, f"{path}?state={state}")] == [
            state
        ]
    assert len(pages(owner_api, f"{path}?contact={contact.pk}")) == 5
    assert pages(owner_api, f"{path}?license={contact.pk}") == []


def test_licenses_are_ordered_by_expiry_and_customer(owner_api: ApiClient) -> None:
    team = owner_api.team
    for name, expires_at in (("b", None), ("C", BEGIN), ("a", BEGIN + timedelta(1))):
        LicenseFactory(team=team, customer__name=name, expires_at=expires_at)

    def order(ordering: str) -> str:
        rows = pages(owner_api, f"/licenses?ordering={ordering}&page_size=1")
        return "".join(row["customer_name"] for row in rows)

    assert order("expires_at") == "Cab"
    assert order("-expires_at") == "baC"
    assert order("customer_name") == "abC"
    assert order("-customer_name") == "Cba"
