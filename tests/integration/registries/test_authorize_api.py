from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from registries.models import ExternalRegistry
from tests.support.clients.api import ApiClient, member_client
from tests.support.rows.factories import (
    PASSWORD,
    ExternalRegistryFactory,
    LicenseFactory,
    api_token_text,
)


@pytest.fixture(autouse=True)
def proxy_host(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = "proxy.berth.example"


@pytest.fixture
def license(support_api: ApiClient) -> Any:
    ExternalRegistryFactory(
        team=support_api.team, slug="sample", repository_patterns=["my-org/*"]
    )
    return LicenseFactory(team=support_api.team, application__slug="my-app")


def ask(api: ApiClient, **values: Any) -> dict[str, Any]:
    body = {
        "application": "my-app",
        "upstream": "sample",
        "repository": "my-org/api",
    } | values
    response = api.post("/authorize", body)
    assert response.status_code == 200
    decision: dict[str, Any] = response.json()
    return decision


def test_authorize_allows_a_license(support_api: ApiClient, license: Any) -> None:
    secret = license.license_id.reveal()
    expected = {
        "allowed": True,
        "reason": None,
        "message": "Allowed.",
        "repository": "my-org/api",
        "registry": "sample",
        "trace": None,
    }

    assert ask(support_api, license=str(license.pk)) == expected
    assert ask(support_api, license_id=secret) == expected
    assert ask(support_api, username="any@one.example", password=secret) == expected


@pytest.mark.parametrize(
    "image",
    [
        "docker pull proxy.berth.example/proxy/my-app/sample/my-org/api:v1",
        "proxy.berth.example/proxy/my-app/sample/my-org/api",
        "docker://proxy.berth.example/proxy/my-app/sample/my-org/api@sha256:"
        + "a" * 64,
    ],
)
def test_authorize_takes_an_image_as_typed(
    image: str, support_api: ApiClient, license: Any
) -> None:
    body = {"license": str(license.pk), "image": image}

    response = support_api.post("/authorize", body)

    assert response.status_code == 200
    assert response.json()["allowed"] is True
    assert response.json()["repository"] == "my-org/api"


def test_authorize_takes_the_upstreams_own_name_with_an_application(
    support_api: ApiClient, license: Any
) -> None:
    endpoint = ExternalRegistry.objects.get().endpoint
    body = {"license": str(license.pk), "image": f"{endpoint}/other/api:v1"}

    decided = support_api.post("/authorize", body | {"application": "my-app"})
    without = support_api.post("/authorize", body)

    assert decided.json()["reason"] == "repository_not_allowed"
    assert without.status_code == 400
    assert list(without.json()["errors"]) == ["application"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"image": "not an image"}, "image"),
        ({"image": "proxy.berth.example/proxy/my-app"}, "image"),
        ({"image": "a/b", "upstream": "sample"}, "image"),
        ({"image": "a/b", "repository": "my-org/api"}, "image"),
        ({"image": ""}, "image"),
        ({"upstream": "sample", "repository": "my-org/api"}, "application"),
    ],
)
def test_authorize_says_what_is_wrong_with_the_question(
    change: dict[str, str], field: str, support_api: ApiClient, license: Any
) -> None:
    response = support_api.post("/authorize", {"license": str(license.pk)} | change)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]


def test_authorize_tells_the_trace_when_asked(
    support_api: ApiClient, license: Any
) -> None:
    decision = ask(
        support_api, license=str(license.pk), repository="other/api", trace=True
    )

    assert decision["allowed"] is False
    assert decision["reason"] == "repository_not_allowed"
    assert [(step["check"], step["passed"]) for step in decision["trace"]] == [
        ("credential", True),
        ("application", True),
        ("license", True),
        ("registry", True),
        ("repository", False),
    ]


def test_authorize_feels_revocation_at_once(
    support_api: ApiClient, license: Any
) -> None:
    support_api.post(f"/licenses/{license.pk}/revoke", {"reason": "unpaid"})
    assert ask(support_api, license=str(license.pk))["reason"] == "license_revoked"

    support_api.post(f"/licenses/{license.pk}/reinstate")
    assert ask(support_api, license=str(license.pk))["allowed"] is True


def test_authorize_feels_expiry_and_archiving(
    support_api: ApiClient, license: Any
) -> None:
    support_api.post(f"/customers/{license.customer_id}/archive")
    assert ask(support_api, license=str(license.pk))["reason"] == "customer_archived"

    license.expires_at = timezone.now()
    license.save(update_fields=["expires_at"])
    assert ask(support_api, license=str(license.pk))["reason"] == "license_expired"


def test_authorize_for_the_private_registry(
    support_api: ApiClient, license: Any
) -> None:
    decision = ask(support_api, license=str(license.pk), upstream=None)

    assert decision["allowed"] is True
    assert decision["registry"] is None


def test_authorize_knows_api_tokens(support_api: ApiClient, license: Any) -> None:
    text = api_token_text(team=support_api.team, role="developer")

    assert ask(support_api, username="ci", password=text)["allowed"] is True


def test_authorize_tries_no_account_password(
    support_api: ApiClient, license: Any, owner: Any
) -> None:
    owner.user.set_password(PASSWORD)
    owner.user.save()

    decision = ask(support_api, username=owner.user.email, password=PASSWORD)

    assert decision["reason"] == "credential_unknown"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"license": "x"},
        {"license_id": "x", "password": "y"},
        {"license_id": "x", "trace": "perhaps"},
        {"license_id": "x", "upstream": "a" * 256},
        {"license_id": 5, "repository": ["a"]},
    ],
)
def test_authorize_refuses_unclear_questions(
    body: dict[str, Any], support_api: ApiClient
) -> None:
    response = support_api.post("/authorize", {"application": "my-app"} | body)

    assert response.status_code == 400


def test_authorize_is_denied_to_a_viewer(viewer_api: ApiClient) -> None:
    response = viewer_api.post(
        "/authorize", {"license_id": "x", "application": "my-app"}
    )

    assert response.status_code == 403


def test_authorize_is_denied_to_a_read_only_token(support: Any) -> None:
    response = member_client(support, read_only=True).post(
        "/authorize", {"license_id": "x", "application": "my-app"}
    )

    assert response.status_code == 403
