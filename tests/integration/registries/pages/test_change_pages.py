"""The dialogs that check, change, duplicate and delete a registry."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from licenses.models import Application
from portal.crypto.secrets import Secret
from registries.models import Credential, CredentialCheck, ExternalRegistry
from registries.selectors import active_credential
from teams.models import Membership, Team
from tests.integration.registries.conftest import Upstream
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    CredentialFactory,
    ExternalRegistryFactory,
    LicenseFactory,
    PullEventFactory,
    RegistryShareFactory,
)
from tests.support.rows.world import rows_of

IMAGES = "/t/acme/images"


@pytest.fixture
def browser(client: Client, member: Membership) -> Client:
    client.force_login(member.user)
    return client


@pytest.fixture
def application(team: Team) -> Application:
    return ApplicationFactory(team=team, name="My app", slug="my-app")


@pytest.fixture
def registry(team: Team) -> ExternalRegistry:
    return ExternalRegistryFactory(team=team, endpoint="quay.io", health="valid")


@pytest.fixture
def stored(team: Team, upstream: Upstream) -> ExternalRegistry:
    """The real registry, stored with its correct password."""
    registry = ExternalRegistryFactory(
        team=team, endpoint=upstream.endpoint, slug="sample", credential=None
    )
    CredentialFactory(registry=registry, secret=Secret(upstream.password))
    return registry


def address(registry: ExternalRegistry, action: str = "") -> str:
    return f"/t/acme/registries/{registry.pk}" + (f"/{action}" if action else "")


def text_of(response: Any) -> str:
    text = response.content.decode()
    assert "upstream-password" not in text
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def edited(browser: Client, registry: ExternalRegistry, **values: Any) -> Any:
    form = browser.get(address(registry, "edit")).context["form"]
    shown = {name: form.initial[name] for name in form.fields}
    return browser.post(address(registry, "edit"), shown | values)


@pytest.mark.parametrize(
    "action", ["check", "edit", "credential", "duplicate", "delete"]
)
def test_other_roles_cannot_change_a_registry(
    action: str,
    client: Client,
    support: Membership,
    outsider: Membership,
    registry: ExternalRegistry,
    team: Team,
) -> None:
    before = rows_of(team)
    body = {"submission": str(uuid.uuid4()), "slug": "x", "anyway": "1"}

    for membership, status in ((support, 403), (outsider, 404)):
        client.force_login(membership.user)
        assert client.post(address(registry, action), body).status_code == status

    assert rows_of(team) == before


def test_check_now(browser: Client, stored: ExternalRegistry, team: Team) -> None:
    response = browser.post(
        address(stored, "check"), {"check-image": "my-org/api:v1.0.1"}
    )

    assert response.headers["Location"] == address(stored)
    assert "and found my-org/api:v1.0.1." in text_of(browser.get(address(stored)))
    stored.refresh_from_db()
    assert stored.health == "valid"


def test_check_now_of_a_wrong_name_does_not_make_the_registry_unhealthy(
    browser: Client, stored: ExternalRegistry
) -> None:
    browser.post(address(stored, "check"), {"check-image": "my-org/nope:v1"})

    stored.refresh_from_db()
    assert stored.health == "valid"
    assert stored.health_checked_at is not None
    check = CredentialCheck.objects.get()
    assert (check.outcome, check.registry) == ("repository_denied", stored)
    assert "there is no my-org/nope:v1" in text_of(browser.get(address(stored)))


def test_check_now_rejects_an_invalid_image(
    browser: Client, registry: ExternalRegistry
) -> None:
    response = browser.post(address(registry, "check"), {"check-image": "NOT one"})

    assert response.status_code == 422
    assert "Not a valid image name." in text_of(response)
    assert 'id="id_check-image_errors"' in response.content.decode()
    assert not CredentialCheck.objects.exists()
    assert browser.get(address(registry, "check")).status_code == 405


def test_edit(
    browser: Client, registry: ExternalRegistry, application: Application, team: Team
) -> None:
    response = edited(
        browser,
        registry,
        slug="quay",
        trusted_realm="auth.example.com",
        shared_with="chosen",
        applications=[str(application.pk)],
        repository_patterns="my-org/*\nother/api",
    )

    assert response.headers["Location"] == address(registry)
    registry.refresh_from_db()
    assert (registry.slug, registry.trusted_realm) == ("quay", "auth.example.com")
    assert registry.repository_patterns == ["my-org/*", "other/api"]
    assert list(registry.applications.all()) == [application]
    assert audited(team) == [("registry:changed", "quay")]

    edited(browser, registry, shared_with="all")

    registry.refresh_from_db()
    assert registry.shared_with_all
    assert not registry.applications.exists()


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"slug": ""}, "slug", "required"),
        ({"slug": "taken"}, "slug", "Another registry of the team has this slug"),
        ({"slug": "test"}, "slug", "slug is reserved"),
        ({"trusted_realm": "no host"}, "trusted_realm", "Not a valid host"),
        ({"shared_with": "chosen"}, "applications", "Select at least one"),
        ({"repository_patterns": ""}, "repository_patterns", "at least one pattern"),
    ],
)
def test_edit_shows_errors(
    values: dict[str, Any],
    field: str,
    message: str,
    browser: Client,
    registry: ExternalRegistry,
    application: Application,
    team: Team,
) -> None:
    ExternalRegistryFactory(team=team, slug="taken")
    before = rows_of(team)

    response = edited(browser, registry, **values)

    errors = response.context["form"].errors
    assert list(errors) == [field]
    assert message in " ".join(errors[field])
    assert rows_of(team) == before


def test_edit_shows_a_concurrent_change(
    browser: Client, registry: ExternalRegistry, application: Application, team: Team
) -> None:
    form = browser.get(address(registry, "edit")).context["form"]
    body = {name: form.initial[name] for name in form.fields} | {"slug": "mine"}
    theirs = edited(
        browser,
        registry,
        shared_with="chosen",
        applications=[str(application.pk)],
    )
    assert theirs.status_code == 302
    before = rows_of(team)

    response = browser.post(address(registry, "edit"), body)

    assert "Somebody else has changed this." in text_of(response)
    assert response.context["form"].initial["shared_with"] == "chosen"
    assert rows_of(team) == before


def test_replace_credential(
    browser: Client, stored: ExternalRegistry, upstream: Upstream, team: Team
) -> None:
    old = active_credential(stored)
    shown = browser.get(address(stored, "credential")).content.decode()
    assert 'value="puller"' in shown
    assert upstream.password not in shown
    body = {
        "submission": str(uuid.uuid4()),
        "username": "puller",
        "secret": upstream.password,
        "image": "my-org/api:v1.0.1",
    }

    first = browser.post(address(stored, "credential"), body)
    second = browser.post(address(stored, "credential"), body)

    assert first.headers["Location"] == second.headers["Location"] == address(stored)
    assert active_credential(stored).pk != old.pk
    assert Credential.objects.count() == 2
    assert audited(team) == [("registry:credential-replaced", "sample")]


def test_replace_credential_keeps_the_old_one_if_the_test_fails(
    browser: Client, stored: ExternalRegistry, team: Team
) -> None:
    old = active_credential(stored)
    body = {
        "submission": str(uuid.uuid4()),
        "username": "puller",
        "secret": "wrong-but-secret",
    }

    failed = browser.post(address(stored, "credential"), body)

    assert "Test failed: Wrong username or password" in text_of(failed)
    assert "wrong-but-secret" not in failed.content.decode()
    assert active_credential(stored).pk == old.pk
    assert audited(team) == []

    browser.post(address(stored, "credential"), body | {"anyway": "1"})

    assert active_credential(stored).secret.reveal() == "wrong-but-secret"
    assert audited(team) == [("registry:credential-replaced", "sample")]


def test_duplicate(browser: Client, registry: ExternalRegistry, team: Team) -> None:
    form = browser.get(address(registry, "duplicate")).context["form"]
    assert form.initial["slug"] == "quay.io-copy"
    body = {"submission": str(uuid.uuid4()), "slug": "quay2"}

    first = browser.post(address(registry, "duplicate"), body)
    second = browser.post(address(registry, "duplicate"), body)

    copy = ExternalRegistry.objects.get(slug="quay2")
    assert first.headers["Location"] == second.headers["Location"] == address(copy)
    assert copy.endpoint == "quay.io"
    assert active_credential(copy).secret.reveal() == "upstream-password"
    assert audited(team) == [("registry:connected", "quay2")]

    taken = {"submission": str(uuid.uuid4()), "slug": "quay.io"}
    refused = browser.post(address(registry, "duplicate"), taken)

    assert list(refused.context["form"].errors) == ["slug"]
    assert ExternalRegistry.objects.count() == 2


def test_delete_shows_what_stops_working(
    browser: Client, team: Team, application: Application
) -> None:
    registry = ExternalRegistryFactory(team=team, slug="old", shared_with_all=False)
    RegistryShareFactory(registry=registry, application=application)
    LicenseFactory(team=team, application=application)
    LicenseFactory(team=team, application=application)
    LicenseFactory(team=team, application=application, revoked=True)
    LicenseFactory(team=team)
    now = timezone.now()
    PullEventFactory(team=team, registry=registry, count=40)
    PullEventFactory(team=team, registry=registry, count=2, reference="v2")
    PullEventFactory(
        team=team, registry=registry, count=100, last_at=now - timedelta(days=31)
    )

    text = text_of(browser.get(address(registry, "delete")))

    assert "Shared with 1 application: my-app" in text
    assert "Active licenses 2, for these applications" in text
    assert "Pulls in 30 days 42" in text
    assert ExternalRegistry.objects.exists()

    response = browser.post(address(registry, "delete"))

    assert response.headers["Location"] == IMAGES
    assert not ExternalRegistry.objects.exists()
    assert not Credential.objects.exists()
    assert audited(team) == [("registry:deleted", "old")]
    assert browser.get(address(registry)).status_code == 404
