"""The slug of an application is changed: who is told, and what stops."""

from __future__ import annotations

from typing import Any

import pytest

from licenses.models import Application, License, RetiredSlug
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    ExternalRegistryFactory,
    ImageTagFactory,
    LicenseFactory,
)
from tests.support.rows.world import rows_of

OLD, NEW = "/applications/my-app", "/applications/my-tool"


@pytest.fixture
def application(owner_api: ApiClient) -> Application:
    made: Application = ApplicationFactory(
        team=owner_api.team, name="My App", slug="my-app"
    )
    return made


@pytest.fixture
def license(application: Application) -> License:
    made: License = LicenseFactory(team=application.team, application=application)
    return made


def rows_after_use(api: ApiClient) -> dict[str, Any]:
    """Return all rows, once the use of the tester's own token is noted."""
    assert api.get(OLD).status_code == 200
    return rows_of(api.team)


def authorized(api: ApiClient, license: License, slug: str) -> dict[str, Any]:
    body = {
        "license": str(license.pk),
        "application": slug,
        "upstream": "quay.io",
        "repository": "my-org/api",
    }
    answer: dict[str, Any] = api.post("/authorize", body).json()
    return answer


def test_without_licenses_it_changes_and_stays_reserved(
    member_api: ApiClient, outsider_api: ApiClient, application: Application
) -> None:
    changed = member_api.patch(OLD, {"slug": "my-tool", "name": "My Tool"})

    assert changed.status_code == 200
    assert (changed.json()["slug"], changed.json()["name"]) == ("my-tool", "My Tool")
    assert member_api.get(OLD).status_code == 404
    shown = member_api.get(NEW)
    assert shown.json() == changed.json()
    assert shown.headers["ETag"] == changed.headers["ETag"]
    assert RetiredSlug.objects.get().slug == "my-app"
    assert audited(member_api.team) == [
        ("application:changed", "my-app"),
        ("application:changed", "my-tool"),
    ]
    taken = outsider_api.post("/applications", {"name": "Mine", "slug": "my-app"})
    assert (taken.status_code, code_of(taken)) == (409, "slug_taken")
    back = member_api.patch(NEW, {"slug": "my-app"})
    assert back.json()["slug"] == "my-app"


def test_with_active_licenses_it_has_to_be_confirmed(
    owner_api: ApiClient, license: License
) -> None:
    ExternalRegistryFactory(team=owner_api.team, endpoint="quay.io", slug="quay.io")
    assert authorized(owner_api, license, "my-app")["allowed"]
    before = rows_after_use(owner_api)

    refused = owner_api.patch(OLD, {"slug": "my-tool", "name": "Lost"})
    wrong = owner_api.patch(f"{OLD}?confirm=my-tool", {"slug": "my-tool"})

    for answer in (refused, wrong):
        assert (answer.status_code, code_of(answer)) == (409, "application_in_use")
        assert answer.json()["in_use"] == {"active_licenses": 1}
        assert "send ?confirm=my-app." in answer.json()["detail"]
    assert rows_of(owner_api.team) == before

    changed = owner_api.patch(f"{OLD}?confirm=my-app", {"slug": "my-tool"})

    assert changed.json()["slug"] == "my-tool"
    assert authorized(owner_api, license, "my-tool")["allowed"]
    gone = authorized(owner_api, license, "my-app")
    assert (gone["allowed"], gone["reason"]) == (False, "application_mismatch")
    license.refresh_from_db()
    assert license.sequence == 2
    file = owner_api.get(f"/licenses/{license.pk}/file").content.decode()
    assert 'appSlug: "my-tool"' in file


def test_a_revoked_license_needs_no_confirmation(
    owner_api: ApiClient, license: License
) -> None:
    owner_api.post(f"/licenses/{license.pk}/revoke", {"reason": "Unpaid."})

    assert owner_api.patch(OLD, {"slug": "my-tool"}).status_code == 200


def test_images_in_the_private_registry_keep_their_slug(
    owner_api: ApiClient, application: Application
) -> None:
    ImageTagFactory(manifest__repository__application=application)
    before = rows_after_use(owner_api)

    refused = owner_api.patch(f"{OLD}?confirm=my-app", {"slug": "my-tool"})

    assert (refused.status_code, code_of(refused)) == (409, "application_has_images")
    assert rows_of(owner_api.team) == before


@pytest.mark.parametrize(
    ("slug", "status", "code"),
    [
        ("their-app", 409, "slug_taken"),
        ("their-old-app", 409, "slug_taken"),
        ("other-app", 409, "slug_taken"),
        ("archived-app", 409, "slug_taken"),
        ("proxy", 400, "invalid"),
        ("Not A Slug", 400, "invalid"),
        ("", 400, "invalid"),
    ],
)
def test_a_slug_that_cannot_be_had(
    owner_api: ApiClient,
    outsider_api: ApiClient,
    application: Application,
    slug: str,
    status: int,
    code: str,
) -> None:
    ApplicationFactory(team=outsider_api.team, slug="their-app")
    RetiredSlug.objects.create(team=outsider_api.team, slug="their-old-app")
    other = ApplicationFactory(team=owner_api.team, slug="other-app")
    archived = ApplicationFactory(team=owner_api.team, slug="archived-app")
    Application.objects.filter(pk=archived.pk).update(archived_at=archived.created_at)
    before = rows_after_use(owner_api)

    refused = owner_api.patch(OLD, {"slug": slug})

    assert (refused.status_code, code_of(refused)) == (status, code)
    assert list(refused.json()["errors"]) == ["slug"]
    mine = {"other-app": str(other.pk), "archived-app": str(archived.pk)}
    assert refused.json().get("existing") == mine.get(slug)
    assert rows_of(owner_api.team) == before


def test_the_same_slug_changes_nothing(
    owner_api: ApiClient, application: Application
) -> None:
    assert owner_api.patch(OLD, {"slug": "my-app"}).status_code == 200
    assert audited(owner_api.team) == []
    assert not RetiredSlug.objects.exists()


def test_who_may_not_change_applications_is_refused(
    viewer_api: ApiClient, owner_api: ApiClient, application: Application
) -> None:
    rows_after_use(viewer_api)
    before = rows_after_use(owner_api)

    assert viewer_api.patch(OLD, {"slug": "my-tool"}).status_code == 403

    assert rows_of(owner_api.team) == before
