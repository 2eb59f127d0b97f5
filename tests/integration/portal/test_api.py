"""What every part of the REST API does alike: lists, bodies, errors, documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from teams.actors import Actor
from teams.models import Team
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.factories import (
    AlertFactory,
    ApiTokenFactory,
    ApplicationFactory,
    ChannelFactory,
    CredentialCheckFactory,
    CustomerFactory,
    DeliveryFactory,
    ExternalRegistryFactory,
    LicenseFactory,
    LicenseFieldFactory,
    LicenseTrafficFactory,
    MembershipFactory,
    PullEventFactory,
    RegistryShareFactory,
    ServiceAccountFactory,
    WebhookFactory,
)

COMMITTED_SCHEMA = Path(__file__).parents[3] / "docs/api/openapi.yaml"
Make = Callable[[Team, Actor], str]


def audit_event(team: Team, actor: Actor) -> str:
    record(actor, EventTag.TEAM_CREATED, team, team.pk)
    return "/audit-events"


def registry(team: Team, actor: Actor) -> str:
    RegistryShareFactory(
        registry=ExternalRegistryFactory(team=team, shared_with_all=False)
    )
    return "/registries"


def channel(team: Team, actor: Actor) -> str:
    application = team_application(team)
    ChannelFactory(application=application)
    return f"/applications/{application.pk}/channels"


def license_field(team: Team, actor: Actor) -> str:
    application = team_application(team)
    LicenseFieldFactory(application=application)
    return f"/applications/{application.pk}/license-fields"


def license_pull(team: Team, actor: Actor) -> str:
    license = team_license(team)
    PullEventFactory(team=team, license=license, registry=team_registry(team))
    return f"/licenses/{license.pk}/pulls"


def license_traffic(team: Team, actor: Actor) -> str:
    license = team_license(team)
    days = timedelta(days=license.traffic.count())
    LicenseTrafficFactory(license=license, day=timezone.now().date() - days)
    return f"/licenses/{license.pk}/traffic-days"


def registry_pull(team: Team, actor: Actor) -> str:
    owner = team_registry(team)
    PullEventFactory(team=team, registry=owner)
    return f"/registries/{owner.pk}/pulls"


def check(team: Team, actor: Actor) -> str:
    owner = team_registry(team)
    CredentialCheckFactory(registry=owner)
    return f"/registries/{owner.pk}/checks"


def delivery(team: Team, actor: Actor) -> str:
    owner = team_webhook(team)
    DeliveryFactory(webhook=owner)
    return f"/webhooks/{owner.pk}/deliveries"


def team_webhook(team: Team) -> Any:
    from alerts.models import Webhook

    return Webhook.objects.filter(team=team).first() or WebhookFactory(team=team)


def team_application(team: Team) -> Any:
    from licenses.models import Application

    return Application.objects.filter(team=team).first() or ApplicationFactory(
        team=team
    )


def team_license(team: Team) -> Any:
    from licenses.models import License

    return License.objects.filter(team=team).first() or LicenseFactory(team=team)


def team_registry(team: Team) -> Any:
    from registries.models import ExternalRegistry

    registry = ExternalRegistry.objects.filter(team=team).first()
    return registry or ExternalRegistryFactory(team=team)


def made_by(factory: Any, path: str) -> Make:
    def make(team: Team, actor: Actor) -> str:
        factory(team=team)
        return path

    return make


# Each list with the number of queries of a page, whatever its length: two to know the
# caller, one for the rows, and what the rows show of their neighbours.
LISTS: dict[str, tuple[Make, int]] = {
    "members": (made_by(MembershipFactory, "/members"), 3),
    "service-accounts": (made_by(ServiceAccountFactory, "/service-accounts"), 3),
    "api-tokens": (made_by(ApiTokenFactory, "/api-tokens"), 3),
    "audit-events": (audit_event, 3),
    "applications": (made_by(ApplicationFactory, "/applications"), 3),
    "channels": (channel, 4),
    "license-fields": (license_field, 4),
    "customers": (made_by(CustomerFactory, "/customers"), 3),
    "licenses": (made_by(LicenseFactory, "/licenses"), 3),
    "license-pulls": (license_pull, 4),
    "license-traffic": (license_traffic, 4),
    "registries": (registry, 5),
    "registry-pulls": (registry_pull, 6),
    "checks": (check, 6),
    "pulls": (made_by(PullEventFactory, "/pulls"), 3),
    "alerts": (made_by(AlertFactory, "/alerts"), 3),
    "webhooks": (made_by(WebhookFactory, "/webhooks"), 3),
    "deliveries": (delivery, 4),
}


@pytest.mark.parametrize("count", [1, 30])
@pytest.mark.parametrize("name", LISTS)
def test_list_costs_the_same_queries_at_any_length(
    name: str, count: int, owner_api: ApiClient, actor: Actor
) -> None:
    make, queries = LISTS[name]
    paths = {make(owner_api.team, actor) for _ in range(count)}
    owner_api.get("/team")  # notes the token's use, once a minute

    with CaptureQueriesContext(connection) as captured:
        response = owner_api.get(paths.pop())

    assert response.status_code == 200
    assert len(response.json()["results"]) >= count
    assert len(captured) == queries, [row["sql"] for row in captured]


@pytest.mark.parametrize("name", LISTS)
def test_list_pages_hold_every_row_once(
    name: str, owner_api: ApiClient, actor: Actor
) -> None:
    make, _ = LISTS[name]
    path = {make(owner_api.team, actor) for _ in range(5)}.pop()
    whole = [row["id"] for row in owner_api.get(path).json()["results"]]

    seen: list[str] = []
    following: str | None = f"{path}?page_size=2"
    while following:
        page = owner_api.get(following).json()
        assert len(page["results"]) <= 2
        seen += [row["id"] for row in page["results"]]
        following = page["next"] and page["next"].partition("/api/v1")[2]

    assert seen == whole
    assert len(set(seen)) == len(seen) >= 5


def test_list_page_is_at_most_100_rows(owner_api: ApiClient) -> None:
    CustomerFactory.create_batch(101, team=owner_api.team)

    page = owner_api.get("/customers?page_size=1000").json()

    assert len(page["results"]) == 100
    assert page["previous"] is None
    assert page["next"] is not None


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=%FF%FE",
        "cursor=cD1ub3QrYStkYXRl",  # p=not+a+date
        "state=asleep",
        "type=1",
        "expires_before=tomorrow",
        "expires_before=2026-01-01",
        "expires_before=2026-01-01T00:00:00",
        "expires_before=0001-01-01T00:00:00%2B23:59",
        "sate=revoked",
        "format=json",
        "search=a%00b",
        "team=rival",
    ],
)
def test_list_refuses_wrong_parameters(query: str, owner_api: ApiClient) -> None:
    LicenseFactory(team=owner_api.team)

    response = owner_api.get(f"/licenses?{query}")

    assert response.status_code == 400
    assert code_of(response) == "invalid"


@pytest.mark.parametrize("page_size", ["0", "-1", "x", "9" * 5000, ""])
def test_list_takes_its_own_page_size_for_a_wrong_one(
    page_size: str, owner_api: ApiClient
) -> None:
    assert owner_api.get(f"/licenses?page_size={page_size}").status_code == 200


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/audit-events", "tag=nope"),
        ("/audit-events", "actor_id=x"),
        ("/audit-events", "subject_id=x"),
        ("/audit-events", "created_after=x"),
        ("/customers", "archived=maybe"),
        ("/pulls", "license=x"),
        ("/alerts", "event=license.frobbed"),
        ("/alerts", "subject_id=x"),
        ("/applications", "slug=x"),
    ],
)
def test_other_lists_refuse_wrong_parameters(
    path: str, query: str, owner_api: ApiClient
) -> None:
    assert owner_api.get(f"{path}?{query}").status_code == 400


def nested(depth: int) -> bytes:
    return b'{"name":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"text"', 400),
        (b"\xff\xfe", 400),
        (b'{"name": NaN}', 400),
        (b'{"name": Infinity}', 400),
        (b'{"name": "a\\u0000b"}', 400),
        (b'{"a\\u0000b": 1}', 400),
        (b'{"name": "\\ud800"}', 400),
        (b'{"name": ' + b"9" * 5000 + b"}", 400),
        (b'{"name": 1e999}', 400),
        (nested(31), 400),
        (nested(500), 400),
        (nested(900), 400),
        (nested(100_000), 400),
        (b'{"name": "' + b"a" * 2**20 + b'"}', 413),
    ],
    ids=lambda value: str(value)[:30],
)
def test_hostile_bodies_are_refused(
    raw: bytes, status: int, owner_api: ApiClient
) -> None:
    response = owner_api.post("/customers", raw=raw)

    assert response.status_code == status
    code_of(response)


def test_body_of_another_type_is_refused(owner_api: ApiClient) -> None:
    response = Client().post(
        "/api/v1/customers",
        {"name": "a"},
        headers={"Authorization": f"Bearer {owner_api.text}"},
    )

    assert response.status_code == 415
    assert code_of(response) == "unsupported_media_type"


def test_wrong_method_lists_the_allowed_ones(owner_api: ApiClient) -> None:
    response = owner_api.delete("/customers")

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD, POST"
    assert code_of(response) == "method_not_allowed"


def test_nul_in_the_address_is_refused(owner_api: ApiClient) -> None:
    response = owner_api.get("/registries/a%00b")

    assert response.status_code == 400
    code_of(response)


def test_errors_name_the_fields(owner_api: ApiClient) -> None:
    response = owner_api.post("/customers", {"email": "x"})

    assert response.json() == {
        "type": "about:blank",
        "title": "Invalid request",
        "status": 400,
        "code": "invalid",
        "detail": "Some values are invalid.",
        "errors": {
            "name": ["This field is required."],
            "email": ["Enter a valid email address."],
        },
    }


def test_committed_schema_is_the_generated_one(tmp_path: Path) -> None:
    generated = tmp_path / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", generated)

    assert generated.read_text() == COMMITTED_SCHEMA.read_text(), "run `make openapi`"


def test_schema_is_for_everybody(db: None) -> None:
    response = Client().get("/api/v1/schema", headers={"Accept": "application/json"})

    assert response.status_code == 200
    assert json.loads(response.content)["info"]["title"] == "Berth API"
