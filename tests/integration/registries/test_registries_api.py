from __future__ import annotations

from typing import Any

import pytest

from audit.models import AuditEvent
from registries.models import Credential, CredentialCheck, ExternalRegistry
from registries.models.external import MAX_OF_ENDPOINT
from registries.providers import PROVIDERS
from registries.selectors import active_credential
from tests.integration.registries.conftest import Upstream
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    CredentialCheckFactory,
    ExternalRegistryFactory,
    LicenseFactory,
    PullEventFactory,
)
from tests.support.rows.world import rows_of


def test_connect_registry_that_accepts_the_credential(
    member_api: ApiClient, upstream: Upstream
) -> None:
    response = member_api.post("/registries", upstream.body())

    assert response.status_code == 201
    registry = ExternalRegistry.objects.get()
    shown = response.json()
    assert shown | dict.fromkeys(
        ("created_at", "updated_at", "health_since", "health_checked_at")
    ) == {
        "id": str(registry.pk),
        "provider": "other",
        "endpoint": upstream.endpoint,
        "slug": "sample",
        "trusted_realm": "",
        "shared_with_all": True,
        "applications": None,
        "repository_patterns": ["*"],
        "test_image": "",
        "auth_type": "password",
        "username": "puller",
        "health": "valid",
        "health_since": None,
        "health_checked_at": None,
        "created_at": None,
        "updated_at": None,
    }
    assert shown["health_checked_at"] is not None
    check = CredentialCheck.objects.get()
    assert (check.outcome, check.http_status) == ("valid", 200)
    assert audited(member_api.team) == [("registry:connected", "sample")]


def test_connect_registry_that_rejects_the_credential_stores_nothing(
    member_api: ApiClient, upstream: Upstream
) -> None:
    response = member_api.post("/registries", upstream.body(secret="wrong"))

    assert response.status_code == 400
    assert code_of(response) == "credential_rejected"
    assert upstream.endpoint in response.json()["detail"]
    assert not ExternalRegistry.objects.exists()
    assert not Credential.objects.exists()
    assert audited(member_api.team) == []


def test_connect_registry_without_testing_it(member_api: ApiClient) -> None:
    response = member_api.post(
        "/registries",
        {
            "provider": "dockerhub",
            "auth_type": "token",
            "username": "acme",
            "secret": "dckr_pat_x",
            "skip_test": True,
        },
    )

    assert response.status_code == 201
    shown = response.json()
    assert shown["endpoint"] == shown["slug"] == "index.docker.io"
    assert shown["health"] is None
    assert not CredentialCheck.objects.exists()


def test_connect_registry_does_not_reach_private_networks(
    member_api: ApiClient, upstream: Upstream, settings: Any
) -> None:
    settings.BERTH_ALLOWED_PRIVATE_NETWORKS = []

    response = member_api.post("/registries", upstream.body())

    assert response.status_code == 400
    assert code_of(response) == "credential_unreachable"
    assert not ExternalRegistry.objects.exists()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"provider": "nope"}, ["provider"]),
        ({"endpoint": ""}, ["endpoint", "slug"]),
        ({"endpoint": "https://registry.example.com"}, ["endpoint"]),
        ({"endpoint": "user@registry.example.com", "slug": "x"}, ["endpoint"]),
        ({"endpoint": "registry.example.com/path", "slug": "x"}, ["endpoint"]),
        ({"slug": "Not a slug"}, ["slug"]),
        ({"trusted_realm": "https://auth.example.com"}, ["trusted_realm"]),
        ({"auth_type": "magic"}, ["auth_type"]),
        ({"username": ""}, ["username"]),
        ({"secret": ""}, ["secret"]),
        ({"secret": "a" * 16_385}, ["secret"]),
        ({"secret": "é" * 16_384}, ["secret"]),
        ({"applications": ["nope"]}, ["applications"]),
        ({"applications": "nope"}, ["applications"]),
        ({"applications": ["nope"], "shared_with_all": True}, ["applications"]),
        ({"repository_patterns": []}, ["repository_patterns"]),
        ({"repository_patterns": ["UPPER"]}, ["repository_patterns"]),
        ({"repository_patterns": ["a"] * 51}, ["repository_patterns"]),
        ({"password": "x"}, ["password"]),
    ],
)
def test_connect_registry_reports_invalid_fields(
    body: dict[str, object], fields: list[str], owner_api: ApiClient
) -> None:
    good = {
        "provider": "other",
        "endpoint": "registry.example.com",
        "username": "me",
        "secret": "mine",
        "skip_test": True,
    }

    response = owner_api.post("/registries", good | body)

    assert response.status_code == 400
    assert sorted(response.json()["errors"]) == fields
    assert not ExternalRegistry.objects.exists()


def test_connect_registry_is_denied_to_support(
    support_api: ApiClient, upstream: Upstream
) -> None:
    response = support_api.post("/registries", upstream.body())

    assert response.status_code == 403
    assert not ExternalRegistry.objects.exists()


def test_secret_is_never_returned(owner_api: ApiClient, upstream: Upstream) -> None:
    body = upstream.body(skip_test=True, secret="very-secret-value")
    responses = [
        owner_api.post("/registries", body),
        owner_api.get("/registries"),
        owner_api.get("/registries/sample"),
        owner_api.post("/registries/sample/test"),
        owner_api.get("/registries/sample/checks"),
        owner_api.put(
            "/registries/sample/credential",
            {"username": "me", "secret": "very-secret-value"},
        ),
        owner_api.post("/registries/sample/duplicate", {"slug": "copy"}),
        owner_api.get("/audit-events"),
    ]

    assert [response.status_code for response in responses] == [
        *(201, 200, 200, 200, 200, 400, 201, 200)
    ]
    for response in responses:
        assert "very-secret-value" not in response.content.decode()
    assert "very-secret-value" not in str(list(AuditEvent.objects.values()))
    assert "very-secret-value" not in str(list(Credential.objects.values()))


def test_username_is_only_for_managers_of_registries(
    viewer_api: ApiClient, owner_api: ApiClient
) -> None:
    ExternalRegistryFactory(team=owner_api.team, slug="sample")

    assert owner_api.get("/registries/sample").json()["username"] == "puller"
    assert viewer_api.get("/registries/sample").json()["username"] is None
    listed = viewer_api.get("/registries").json()["results"]
    assert [each["username"] for each in listed] == [None]


def test_registry_is_shared_with_chosen_applications(owner_api: ApiClient) -> None:
    one = ApplicationFactory(team=owner_api.team, slug="one")
    ApplicationFactory(team=owner_api.team, slug="two")
    ApplicationFactory(team=owner_api.team, slug="three")
    body = {
        "provider": "other",
        "endpoint": "registry.example.com",
        "username": "me",
        "secret": "mine",
        "skip_test": True,
        "applications": [str(one.pk), "two"],
    }

    created = owner_api.post("/registries", body).json()
    path = f"/registries/{created['id']}"
    narrowed = owner_api.patch(path, {"applications": ["three"]}).json()
    untouched = owner_api.patch(path, {"repository_patterns": ["my-org/*"]}).json()
    widened = owner_api.patch(path, {"shared_with_all": True}).json()
    emptied = owner_api.patch(path, {"shared_with_all": False})
    again = owner_api.patch(path, {"shared_with_all": False, "applications": ["one"]})

    assert (created["shared_with_all"], created["applications"]) == (
        False,
        ["one", "two"],
    )
    assert narrowed["applications"] == ["three"]
    assert untouched["applications"] == ["three"]
    assert untouched["repository_patterns"] == ["my-org/*"]
    assert (widened["shared_with_all"], widened["applications"]) == (True, None)
    assert emptied.status_code == 409
    assert code_of(emptied) == "no_applications"
    assert again.json()["applications"] == ["one"]


def test_change_registry_is_denied_to_support(support_api: ApiClient) -> None:
    registry = ExternalRegistryFactory(team=support_api.team)
    before = rows_of(support_api.team)["registries.ExternalRegistry"]

    for response in (
        support_api.patch(f"/registries/{registry.pk}", {"slug": "taken"}),
        support_api.delete(f"/registries/{registry.pk}"),
        support_api.post(f"/registries/{registry.pk}/test"),
        support_api.post(f"/registries/{registry.pk}/duplicate", {"slug": "copy"}),
        support_api.put(
            f"/registries/{registry.pk}/credential", {"username": "a", "secret": "b"}
        ),
    ):
        assert response.status_code == 403
    assert rows_of(support_api.team)["registries.ExternalRegistry"] == before


def test_a_team_has_few_registries_of_one_endpoint(
    owner_api: ApiClient, upstream: Upstream
) -> None:
    """A pull by the endpoint's name may have to try each of them."""
    for number in range(MAX_OF_ENDPOINT - 1):
        ExternalRegistryFactory(
            team=owner_api.team, endpoint=upstream.endpoint, slug=f"own-{number}"
        )
    ExternalRegistryFactory(endpoint=upstream.endpoint)
    assert owner_api.post("/registries", upstream.body()).status_code == 201

    refused = owner_api.post("/registries", upstream.body(slug="more"))
    copied = owner_api.post("/registries/sample/duplicate", {"slug": "more"})
    renamed = owner_api.patch("/registries/sample", {"slug": "renamed"})

    assert [refused.status_code, copied.status_code] == [400, 400]
    assert "most that are possible" in str(refused.json()["errors"]["endpoint"])
    assert renamed.status_code == 200
    registries = ExternalRegistry.objects.for_team(owner_api.team.pk)
    assert registries.count() == MAX_OF_ENDPOINT


def test_slug_of_another_registry_is_refused(owner_api: ApiClient) -> None:
    one = ExternalRegistryFactory(team=owner_api.team, slug="one")
    ExternalRegistryFactory(team=owner_api.team, slug="two")

    response = owner_api.patch("/registries/two", {"slug": "one"})

    assert response.status_code == 409
    assert code_of(response) == "slug_taken"
    assert response.json()["errors"] == {
        "slug": ["Another registry of the team has this slug."]
    }
    assert response.json()["existing"] == str(one.pk)
    assert owner_api.get("/registries/two").status_code == 200


def test_duplicate_registry(owner_api: ApiClient, upstream: Upstream) -> None:
    application = ApplicationFactory(team=owner_api.team)
    owner_api.post(
        "/registries",
        upstream.body(applications=[application.slug], repository_patterns=["a/*"]),
    )

    response = owner_api.post("/registries/sample/duplicate", {"slug": "copy"})

    assert response.status_code == 201
    shown = response.json()
    assert (shown["slug"], shown["endpoint"]) == ("copy", upstream.endpoint)
    assert shown["applications"] == [application.slug]
    assert shown["repository_patterns"] == ["a/*"]
    copy = ExternalRegistry.objects.get(slug="copy")
    assert active_credential(copy).secret.reveal() == upstream.password


def test_delete_registry_deletes_its_credentials(owner_api: ApiClient) -> None:
    registry = ExternalRegistryFactory(team=owner_api.team, slug="sample")
    CredentialCheckFactory(registry=registry)
    pull = PullEventFactory(team=owner_api.team, registry=registry)

    response = owner_api.delete("/registries/sample?confirm=sample")

    assert response.status_code == 204
    assert not ExternalRegistry.objects.exists()
    assert not Credential.objects.exists()
    pull.refresh_from_db()
    assert pull.registry_id == registry.pk
    assert audited(owner_api.team) == [("registry:deleted", "sample")]


@pytest.mark.parametrize("query", ["", "?confirm=", "?confirm=other", "?confirm=true"])
def test_a_registry_in_use_is_deleted_only_if_its_slug_is_confirmed(
    query: str, owner_api: ApiClient
) -> None:
    registry = ExternalRegistryFactory(team=owner_api.team, slug="sample")
    license = LicenseFactory(team=owner_api.team, application__slug="my-app")
    PullEventFactory(team=owner_api.team, registry=registry, license=license, count=3)
    before = rows_of(owner_api.team)["registries.ExternalRegistry"]

    response = owner_api.delete(f"/registries/{registry.pk}{query}")

    assert response.status_code == 409
    assert code_of(response) == "registry_in_use"
    assert response.json()["in_use"] == {
        "applications": ["my-app"],
        "active_licenses": 1,
        "pulls": 3,
    }
    assert "?confirm=sample" in response.json()["detail"]
    assert rows_of(owner_api.team)["registries.ExternalRegistry"] == before
    assert audited(owner_api.team) == []


def test_a_registry_without_licenses_and_pulls_is_deleted_at_once(
    owner_api: ApiClient,
) -> None:
    ExternalRegistryFactory(team=owner_api.team, slug="sample")
    ApplicationFactory(team=owner_api.team)

    assert owner_api.delete("/registries/sample?force=1").status_code == 400
    assert owner_api.delete("/registries/sample").status_code == 204


def test_pulls_are_filtered(owner_api: ApiClient) -> None:
    team = owner_api.team
    license = LicenseFactory(team=team)
    registry = ExternalRegistryFactory(team=team, slug="sample")
    allowed = PullEventFactory(team=team, license=license, registry=registry)
    denied = PullEventFactory(
        team=team, outcome="license_expired", application_slug="other-app"
    )

    def ids(path: str) -> list[str]:
        return [each["id"] for each in owner_api.get(path).json()["results"]]

    assert ids("/pulls") == [str(denied.pk), str(allowed.pk)]
    for query in (
        f"license={license.pk}",
        "registry=sample",
        f"registry={registry.pk}",
        "outcome=allowed",
        "application=my-app",
    ):
        assert ids(f"/pulls?{query}") == [str(allowed.pk)]
    assert ids(f"/licenses/{license.pk}/pulls") == [str(allowed.pk)]
    assert ids("/registries/sample/pulls") == [str(allowed.pk)]
    assert ids("/pulls?outcome=license_expired") == [str(denied.pk)]


def test_providers_list_the_fields_each_needs(viewer_api: ApiClient) -> None:
    found = viewer_api.get("/registries/providers").json()

    assert (found["next"], found["previous"]) == (None, None)
    by_name = {each["name"]: each for each in found["results"]}
    assert list(by_name) == list(PROVIDERS)
    hub = by_name["dockerhub"]
    assert hub["fixed_endpoint"] == "index.docker.io"
    assert [each["name"] for each in hub["auth_types"]] == ["token", "password"]
    google = by_name["gar"]["auth_types"][0]
    assert (google["fixed_username"], google["has_secret"]) == ("_json_key", True)


def test_test_image_is_kept_and_changed(
    owner_api: ApiClient, upstream: Upstream
) -> None:
    image = f"{upstream.endpoint}/{upstream.image}"
    made = owner_api.post("/registries", upstream.body(test_image=image))
    assert made.json()["test_image"] == upstream.image

    refused = owner_api.patch("/registries/sample", {"test_image": "quay.io/a/b"})
    assert refused.json()["errors"] == {
        "test_image": [f"This image is on quay.io, not on {upstream.endpoint}."]
    }
    changed = owner_api.patch("/registries/sample", {"test_image": "my-org/nope:v1"})
    assert changed.json()["test_image"] == "my-org/nope:v1"
    result = owner_api.post("/registries/sample/test").json()
    assert result["outcome"] == "repository_denied"
    assert ExternalRegistry.objects.get().suspect == "repository_denied"
