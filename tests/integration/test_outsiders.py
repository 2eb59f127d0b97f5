"""Every address of the API, tried by strangers. A new route needs an entry here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.urls import URLPattern, get_resolver

from portal import api_urls
from teams.models import Team
from tests.support.clients.api import ApiClient, code_of
from tests.support.clients.license_holder import LicenseClient, basic
from tests.support.issuers.token_issuer import key_set, new_key
from tests.support.rows.factories import pull_credential
from tests.support.rows.world import World, make_world, rolled_back, rows_of

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """A list, an object, an action of no object, public, or a license holder's."""

    kind: str
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)


LIST, OBJECT, ACTION, PUBLIC = "list", "object", "action", "public"
HOLDER = "holder"
_IDENTITY = {
    "label": "mine",
    "kind": "kubernetes",
    "issuer": "https://cluster.example",
    "rules": {"namespace": "prod"},
    "key_set": key_set(new_key()),
}
ROUTES = {
    "schema": Route(PUBLIC),
    "docs": Route(PUBLIC),
    "docs/<slug:section>": Route(PUBLIC),
    "": Route(PUBLIC),
    "team": Route(ACTION),
    "team/export": Route(ACTION),
    "team/look": Route(ACTION),
    "team/contact-mail": Route(ACTION),
    "members": Route(LIST),
    "members/<uuid:member_id>": Route(OBJECT, {"patch": {"role": "owner"}}),
    "invitations": Route(LIST),
    "invitations/<uuid:invitation_id>": Route(OBJECT),
    "invitations/<uuid:invitation_id>/renew": Route(OBJECT),
    "service-accounts": Route(LIST),
    "service-accounts/<uuid:service_account_id>": Route(
        OBJECT, {"patch": {"name": "taken"}}
    ),
    "api-tokens": Route(LIST),
    "api-tokens/<uuid:api_token_id>": Route(OBJECT),
    "api-tokens/<uuid:api_token_id>/revoke": Route(OBJECT),
    "audit-events": Route(LIST),
    "alerts": Route(LIST),
    "alerts/<uuid:alert_id>/acknowledge": Route(OBJECT),
    "webhooks": Route(LIST),
    "webhooks/<uuid:webhook_id>": Route(OBJECT, {"patch": {"name": "Taken"}}),
    "webhooks/<uuid:webhook_id>/secret": Route(OBJECT),
    "webhooks/<uuid:webhook_id>/enable": Route(OBJECT),
    "webhooks/<uuid:webhook_id>/disable": Route(OBJECT),
    "webhooks/<uuid:webhook_id>/test": Route(OBJECT),
    "webhooks/<uuid:webhook_id>/deliveries": Route(OBJECT),
    "webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/retry": Route(OBJECT),
    "applications": Route(LIST),
    "applications/<str:application>": Route(OBJECT, {"patch": {"name": "Taken"}}),
    "applications/<str:application>/restore": Route(OBJECT),
    "applications/<str:application>/channels": Route(
        OBJECT, {"post": {"name": "Beta", "slug": "beta"}}
    ),
    "applications/<str:application>/channels/<str:channel>": Route(
        OBJECT, {"patch": {"is_default": True}}
    ),
    "applications/<str:application>/license-fields": Route(
        OBJECT, {"post": {"name": "seats", "title": "Seats", "type": "Integer"}}
    ),
    "applications/<str:application>/license-fields/<str:field>": Route(
        OBJECT, {"patch": {"title": "Taken"}}
    ),
    "applications/<str:application>/listed-images": Route(
        OBJECT, {"put": {"images": []}}
    ),
    "applications/<str:application>/images": Route(OBJECT),
    "applications/<str:application>/images/<uuid:image_id>": Route(OBJECT),
    "applications/<str:application>/images/<uuid:image_id>/tags": Route(OBJECT),
    "applications/<str:application>/images/<uuid:image_id>/tags/<uuid:tag_id>": Route(
        OBJECT
    ),
    "applications/<str:application>/images/<uuid:image_id>/manifests": Route(OBJECT),
    (
        "applications/<str:application>/images/<uuid:image_id>/manifests/"
        "<uuid:manifest_id>"
    ): Route(OBJECT),
    "customers": Route(LIST),
    "customers/<str:customer_id>": Route(OBJECT, {"patch": {"name": "Taken"}}),
    "customers/<str:customer_id>/archive": Route(OBJECT),
    "customers/<str:customer_id>/restore": Route(OBJECT),
    "customers/<str:customer_id>/contacts": Route(
        OBJECT, {"post": {"email": "taken@rival.example"}}
    ),
    "customers/<str:customer_id>/contacts/<uuid:contact_id>": Route(
        OBJECT, {"patch": {"role": "reader"}}
    ),
    "customers/<str:customer_id>/links": Route(
        OBJECT,
        {"post": {"contacts": ["<uuid:contact_id>"], "license": "<uuid:license_id>"}},
    ),
    "customers/<str:customer_id>/links/<uuid:link_id>": Route(OBJECT),
    "customers/<str:customer_id>/links/<uuid:link_id>/withdraw": Route(OBJECT),
    "licenses": Route(LIST),
    "licenses/search": Route(ACTION),
    "licenses/bulk/issue": Route(ACTION),
    "licenses/bulk/change": Route(ACTION),
    "licenses/bulk/revoke": Route(ACTION),
    "licenses/<uuid:license_id>": Route(OBJECT, {"patch": {"type": "trial"}}),
    "licenses/<uuid:license_id>/revoke": Route(OBJECT, {"post": {"reason": "mine"}}),
    "licenses/<uuid:license_id>/reinstate": Route(OBJECT),
    "licenses/<uuid:license_id>/restore": Route(OBJECT),
    "licenses/<uuid:license_id>/file": Route(OBJECT),
    "licenses/<uuid:license_id>/pulls": Route(OBJECT),
    "licenses/<uuid:license_id>/traffic-days": Route(OBJECT),
    "licenses/<uuid:license_id>/replace-id": Route(OBJECT),
    "licenses/<uuid:license_id>/pull-credentials": Route(
        OBJECT, {"post": {"name": "mine"}}
    ),
    "licenses/<uuid:license_id>/pull-credentials/<uuid:credential_id>": Route(
        OBJECT, {"patch": {"networks": []}}
    ),
    "licenses/<uuid:license_id>/pull-credentials/<uuid:credential_id>/rotate": Route(
        OBJECT
    ),
    "licenses/<uuid:license_id>/pull-credentials/<uuid:credential_id>/revoke": Route(
        OBJECT
    ),
    "licenses/<uuid:license_id>/trusted-identities": Route(OBJECT, {"post": _IDENTITY}),
    "licenses/<uuid:license_id>/trusted-identities/test": Route(
        OBJECT, {"post": {"token": "eyJ"}}
    ),
    "licenses/<uuid:license_id>/trusted-identities/<uuid:identity_id>": Route(
        OBJECT, {"patch": {"label": "Taken"}}
    ),
    "licenses/<uuid:license_id>/trusted-identities/<uuid:identity_id>/remove": Route(
        OBJECT
    ),
    "leaked-credential": Route(PUBLIC),
    "license": Route(HOLDER),
    "license/file": Route(HOLDER),
    "license/pull-secret": Route(HOLDER),
    "license/pull-credentials": Route(HOLDER, {"post": {"name": "mine"}}),
    "license/pull-credential/rotate": Route(HOLDER),
    "license/images": Route(HOLDER),
    "license/check": Route(HOLDER, {"post": {"image": "redis"}}),
    "license/pulls": Route(HOLDER),
    "license/registries": Route(HOLDER),
    "license/resolve-images": Route(HOLDER, {"post": {"images": ["redis"]}}),
    "registries": Route(LIST),
    "registries/providers": Route(ACTION),
    "registries/test": Route(ACTION),
    "registries/<str:registry>": Route(OBJECT, {"patch": {"slug": "taken"}}),
    "registries/<str:registry>/credential": Route(
        OBJECT, {"put": {"username": "me", "secret": "mine", "skip_test": True}}
    ),
    "registries/<str:registry>/test": Route(OBJECT),
    "registries/<str:registry>/duplicate": Route(OBJECT, {"post": {"slug": "copy"}}),
    "registries/<str:registry>/checks": Route(OBJECT),
    "registries/<str:registry>/pulls": Route(OBJECT),
    "pulls": Route(LIST),
    "authorize": Route(ACTION),
}


def patterns() -> dict[str, URLPattern]:
    return {str(pattern.pattern): pattern for pattern in api_urls.urlpatterns}


def methods_of(route: str) -> list[str]:
    view = patterns()[route].callback.cls  # type: ignore[attr-defined]  # a class view
    return [method for method in METHODS if hasattr(view, method)]


def every(*kinds: str) -> list[tuple[str, str]]:
    return [
        (route, method)
        for route, entry in ROUTES.items()
        if entry.kind in kinds
        for method in methods_of(route)
    ]


def address(route: str, ids: dict[str, str]) -> str:
    return "/" + filled(route, ids)


def filled(text: str, ids: dict[str, str]) -> str:
    return re.sub(r"<\w+:(\w+)>", lambda match: ids[match[1]], text)


@pytest.fixture
def world(team: Team) -> World:
    return make_world(team)


def test_every_route_has_an_entry() -> None:
    assert set(patterns()) == set(ROUTES)


def test_the_portal_has_no_other_addresses() -> None:
    """Those of pages are walked in test_page_outsiders.py."""
    patterns = [str(pattern.pattern) for pattern in get_resolver().url_patterns]

    assert patterns == [
        "",
        "set-up",
        "theme",
        "invitations/<str:secret>",
        "accounts/oidc/<str:provider_id>/login/",
        "accounts/oidc/<str:provider_id>/login/callback/",
        "accounts/3rdparty/signup/",
        "accounts/sessions/",
        "accounts/sessions/<str:session_id>/end",
        "accounts/",
        "t/<str:team>/",
        "c/",
        ".well-known/openid-configuration",
        ".well-known/jwks.json",
        ".well-known/berth-license-root.pem",
        "help/",
        "livez",
        "readyz",
        "metrics",
        "registry-notifications",
        "admin/password_change/",
        "admin/password_change/done/",
        "admin/",
        "api/v1/",
    ]


def test_every_route_requires_sign_in(
    world: World, anonymous_api: ApiClient, subtests: pytest.Subtests
) -> None:
    before = rows_of(world.team)

    for route, method in every(LIST, OBJECT, ACTION):
        with subtests.test(f"{method} {route}"), rolled_back():
            body = ROUTES[route].bodies.get(method, {})
            response = anonymous_api.request(method, address(route, world.ids), body)

            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert code_of(response) == "not_authenticated"
            assert rows_of(world.team) == before


@pytest.mark.parametrize(("route", "method"), every(HOLDER))
def test_every_route_of_holders_takes_a_license_and_no_vendors_login(
    route: str,
    method: str,
    world: World,
    anonymous_api: ApiClient,
    owner_api: ApiClient,
    settings: Any,
) -> None:
    settings.BERTH_PROXY_HOST = "proxy.example.com"
    body = ROUTES[route].bodies.get(method, {})
    before = rows_of(world.team)

    for client in (anonymous_api, owner_api):
        response = client.request(method, address(route, {}), body)

        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == 'Basic realm="Berth"'
        assert code_of(response) == "not_authenticated"
    assert rows_of(world.team) == before
    Team.objects.update(customers_make_credentials=True)
    _, secret = pull_credential(world.license)
    holder = LicenseClient(authorization=basic("any", secret))
    response = holder.request(method, address(route, {}), body)
    assert response.status_code in {200, 201}


def test_every_object_is_unknown_to_another_team(
    world: World, outsider_api: ApiClient, subtests: pytest.Subtests
) -> None:
    before = rows_of(world.team)

    for route, method in every(OBJECT):
        with subtests.test(f"{method} {route}"), rolled_back():
            body = ROUTES[route].bodies.get(method, {})
            response = outsider_api.request(method, address(route, world.ids), body)

            assert response.status_code == 404
            assert code_of(response) == "not_found"
            assert rows_of(world.team) == before


def test_every_object_of_ours_is_no_404_to_us(
    world: World, owner_api: ApiClient, settings: Any, subtests: pytest.Subtests
) -> None:
    # Otherwise a mistyped address would make the tests above pass.
    settings.BERTH_ALLOWED_PRIVATE_NETWORKS = []
    world.registry.endpoint = "127.0.0.1:1"
    world.registry.save()

    for route, method in every(OBJECT):
        with subtests.test(f"{method} {route}"), rolled_back():
            body = ROUTES[route].bodies.get(method, {})
            body = json.loads(filled(json.dumps(body), world.ids))
            response = owner_api.request(method, address(route, world.ids), body)

            # 502: no private registry is there to delete from.
            assert response.status_code in {200, 201, 202, 204, 409, 502}


def test_every_slug_is_unknown_to_another_team(
    world: World, outsider_api: ApiClient, subtests: pytest.Subtests
) -> None:
    ids = world.ids | {
        "application": world.license.application.slug,
        "registry": world.registry.slug,
    }
    for route, method in [named for named in every(OBJECT) if "<str:" in named[0]]:
        with subtests.test(f"{method} {route}"), rolled_back():
            body = ROUTES[route].bodies.get(method, {})
            response = outsider_api.request(method, address(route, ids), body)

            assert response.status_code == 404


@pytest.mark.parametrize(("route", "method"), every(LIST))
def test_every_list_shows_nothing_of_another_team(
    route: str, method: str, world: World, outsider_api: ApiClient
) -> None:
    if method != "get":
        return
    response = outsider_api.get(address(route, {}))

    assert response.status_code == 200
    shown = response.content.decode()
    assert not [value for value in world.ids.values() if value in shown]
    assert world.team.slug not in shown


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/licenses/not-a-uuid",
        "/licenses/00000000-0000-0000-0000-00000000000g/revoke",
        "/customers/",
        "/",
    ],
)
def test_unknown_urls_return_problems(
    path: str, method: str, owner_api: ApiClient
) -> None:
    response = owner_api.request(method, path)

    assert response.status_code == 404
    assert code_of(response) == "not_found"
