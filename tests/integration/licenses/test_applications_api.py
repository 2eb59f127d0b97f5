from __future__ import annotations

import uuid

import pytest

from licenses.models import Application, Channel
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    ChannelFactory,
    ExternalRegistryFactory,
    ImageTagFactory,
    LicenseFactory,
    RegistryShareFactory,
)
from tests.support.rows.world import rows_of


def test_team_shows_role_and_permissions(viewer_api: ApiClient) -> None:
    response = viewer_api.get("/team")

    assert response.status_code == 200
    assert response.json() | {"created_at": None, "updated_at": None} == {
        "id": str(viewer_api.team.pk),
        "name": "Acme",
        "slug": "acme",
        "time_zone": "UTC",
        "require_second_factor": False,
        "customers_make_credentials": False,
        "created_at": None,
        "updated_at": None,
        "role": "read-only",
        "permissions": [
            "application:read",
            "customer:read",
            "license:read",
            "registry:read",
            "service-account:read",
            "team:read",
        ],
    }


def test_create_application_makes_a_default_channel(member_api: ApiClient) -> None:
    response = member_api.post("/applications", {"name": "My App", "slug": "my-app"})

    assert response.status_code == 201
    application = Application.objects.get(slug="my-app")
    assert response.json()["id"] == str(application.pk)
    channels = member_api.get("/applications/my-app/channels").json()["results"]
    assert [(row["slug"], row["is_default"]) for row in channels] == [("stable", True)]
    assert audited(member_api.team) == [
        ("application:created", "my-app"),
        ("channel:created", "my-app/stable"),
    ]


def test_create_application_is_denied_to_a_viewer(viewer_api: ApiClient) -> None:
    response = viewer_api.post("/applications", {"name": "My App", "slug": "my-app"})

    assert response.status_code == 403
    assert code_of(response) == "permission_denied"
    assert not Application.objects.exists()
    assert audited(viewer_api.team) == []


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name", "slug"]),
        ({"name": "My App", "slug": "My App"}, ["slug"]),
        ({"name": "My App", "slug": "a" * 65}, ["slug"]),
        ({"name": "a\nb", "slug": "my-app"}, ["name"]),
        ({"name": ["a"], "slug": {}}, ["name", "slug"]),
        ({"name": None, "slug": "my-app"}, ["name"]),
        ({"name": "a", "slug": "a", "team": "acme", "x": 1}, ["team", "x"]),
    ],
)
def test_create_application_reports_invalid_fields(
    body: dict[str, object], fields: list[str], owner_api: ApiClient
) -> None:
    response = owner_api.post("/applications", body)

    assert response.status_code == 400
    assert code_of(response) == "invalid"
    assert sorted(response.json()["errors"]) == fields
    assert not Application.objects.exists()


def test_create_application_with_a_slug_of_another_team_is_refused(
    owner_api: ApiClient, other_team: object
) -> None:
    ApplicationFactory(team=other_team, slug="my-app")

    response = owner_api.post("/applications", {"name": "My App", "slug": "my-app"})

    assert response.status_code == 409
    assert code_of(response) == "slug_taken"
    assert response.json()["errors"] == {
        "slug": ["This slug is taken. Choose another one."]
    }
    assert response.json()["existing"] is None
    assert not Application.objects.filter(team=owner_api.team).exists()


def test_application_answers_to_id_and_slug(owner_api: ApiClient) -> None:
    application = ApplicationFactory(team=owner_api.team, slug="my-app")

    by_id = owner_api.get(f"/applications/{application.pk}").json()
    by_slug = owner_api.get("/applications/my-app").json()

    assert by_id == by_slug
    assert by_id["slug"] == "my-app"


def test_application_id_takes_precedence_over_an_equal_slug(
    owner_api: ApiClient,
) -> None:
    first = ApplicationFactory(team=owner_api.team)
    ApplicationFactory(team=owner_api.team, slug=str(first.pk))

    assert owner_api.get(f"/applications/{first.pk}").json()["slug"] == first.slug


def test_change_application_renames_it(owner_api: ApiClient) -> None:
    ApplicationFactory(team=owner_api.team, slug="my-app")

    response = owner_api.patch("/applications/my-app", {"name": "New name"})

    assert response.status_code == 200
    assert response.json()["name"] == "New name"
    assert Application.objects.get().name == "New name"
    assert audited(owner_api.team) == [("application:changed", "my-app")]


def test_change_application_is_denied_to_support(support_api: ApiClient) -> None:
    application = ApplicationFactory(team=support_api.team)

    response = support_api.patch(f"/applications/{application.pk}", {"name": "New"})

    assert response.status_code == 403
    application.refresh_from_db()
    assert application.name != "New"


def test_delete_application(owner_api: ApiClient) -> None:
    RegistryShareFactory(
        registry=ExternalRegistryFactory(team=owner_api.team, shared_with_all=False),
        application=ApplicationFactory(team=owner_api.team, slug="my-app"),
    )

    response = owner_api.delete("/applications/my-app")

    assert response.status_code == 204
    assert response.content == b""
    assert not Application.objects.exists()
    assert audited(owner_api.team) == [("application:deleted", "my-app")]


def test_delete_application_with_licenses_is_a_conflict(owner_api: ApiClient) -> None:
    license = LicenseFactory(team=owner_api.team)

    response = owner_api.delete(f"/applications/{license.application_id}")

    assert response.status_code == 409
    assert code_of(response) == "application_in_use"
    assert Application.objects.exists()
    assert audited(owner_api.team) == []


def test_delete_application_with_images_is_a_conflict(owner_api: ApiClient) -> None:
    tag = ImageTagFactory(
        manifest__repository__application__team=owner_api.team,
        manifest__repository__application__slug="my-app",
    )
    before = rows_of(owner_api.team)

    response = owner_api.delete("/applications/my-app")

    assert response.status_code == 409
    assert code_of(response) == "application_has_images"
    after = rows_of(owner_api.team)
    for rows in (before, after):
        del rows["teams.ApiToken"]  # notes its use
    assert after == before
    tag.repository.delete()
    assert owner_api.delete("/applications/my-app").status_code == 204


def test_slug_of_a_deleted_application_is_for_no_other_team(
    owner_api: ApiClient, outsider_api: ApiClient
) -> None:
    ApplicationFactory(team=owner_api.team, slug="my-app")
    owner_api.delete("/applications/my-app")

    response = outsider_api.post("/applications", {"name": "Mine", "slug": "my-app"})

    assert response.status_code == 409
    assert code_of(response) == "slug_taken"
    assert response.json()["errors"] == {
        "slug": ["This slug is taken. Choose another one."]
    }
    assert response.json()["existing"] is None
    assert not Application.objects.exists()
    assert not Channel.objects.exists()
    assert audited(outsider_api.team) == []


def test_slug_of_a_deleted_application_stays_its_teams(
    owner_api: ApiClient, outsider_api: ApiClient
) -> None:
    """More than once: the slug is not freed by being used and deleted again."""
    for _ in range(2):
        created = owner_api.post("/applications", {"name": "Ours", "slug": "my-app"})
        assert created.status_code == 201
        assert owner_api.delete("/applications/my-app").status_code == 204

    taken = outsider_api.post("/applications", {"name": "Mine", "slug": "my-app"})

    assert taken.status_code == 409
    assert not Application.objects.exists()


def test_delete_application_is_denied_to_a_viewer(viewer_api: ApiClient) -> None:
    application = ApplicationFactory(team=viewer_api.team)

    response = viewer_api.delete(f"/applications/{application.pk}")

    assert response.status_code == 403
    assert Application.objects.exists()


def test_new_default_channel_replaces_the_old(owner_api: ApiClient) -> None:
    ApplicationFactory(team=owner_api.team, slug="my-app")

    response = owner_api.post(
        "/applications/my-app/channels",
        {"name": "Beta", "slug": "beta", "is_default": True},
    )

    assert response.status_code == 201
    assert list(Channel.objects.filter(is_default=True).values_list("slug")) == [
        ("beta",)
    ]


def test_change_channel_makes_it_the_default(owner_api: ApiClient) -> None:
    channel = ChannelFactory(application__team=owner_api.team)
    path = f"/applications/{channel.application.slug}/channels/{channel.pk}"

    response = owner_api.patch(path, {"is_default": True, "name": "Main"})

    assert response.status_code == 200
    defaults = Channel.objects.filter(is_default=True)
    assert [(row.pk, row.name) for row in defaults] == [(channel.pk, "Main")]


def test_default_channel_cannot_be_undone_or_deleted(owner_api: ApiClient) -> None:
    application = ApplicationFactory(team=owner_api.team)
    channel = application.channels.get()
    path = f"/applications/{application.pk}/channels/{channel.pk}"

    for response in (
        owner_api.patch(path, {"is_default": False}),
        owner_api.delete(path),
    ):
        assert response.status_code == 409
        assert code_of(response) == "default_channel"
    channel.refresh_from_db()
    assert channel.is_default


def test_delete_channel_with_licenses_is_a_conflict(owner_api: ApiClient) -> None:
    channel = ChannelFactory(application__team=owner_api.team)
    application = channel.application
    LicenseFactory(team=owner_api.team, application=application, channel=channel)
    path = f"/applications/{application.pk}/channels/{channel.pk}"

    response = owner_api.delete(path)

    assert response.status_code == 409
    assert code_of(response) == "channel_in_use"


def test_delete_channel(owner_api: ApiClient) -> None:
    channel = ChannelFactory(application__team=owner_api.team, slug="beta")
    application = channel.application

    response = owner_api.delete(f"/applications/{application.pk}/channels/{channel.pk}")

    assert response.status_code == 204
    assert not application.channels.filter(slug="beta").exists()
    assert audited(owner_api.team) == [("channel:deleted", f"{application.slug}/beta")]


def test_channel_is_unknown_under_another_application(owner_api: ApiClient) -> None:
    channel = ChannelFactory(application__team=owner_api.team)
    other = ApplicationFactory(team=owner_api.team)

    response = owner_api.get(f"/applications/{other.pk}/channels/{channel.pk}")

    assert response.status_code == 404


def test_channel_of_an_unknown_application_is_unknown(owner_api: ApiClient) -> None:
    response = owner_api.get(f"/applications/nope/channels/{uuid.uuid4()}")

    assert response.status_code == 404


def test_channels_are_denied_to_support(support_api: ApiClient) -> None:
    application = ApplicationFactory(team=support_api.team)

    response = support_api.post(
        f"/applications/{application.pk}/channels", {"name": "Beta", "slug": "beta"}
    )

    assert response.status_code == 403
    assert application.channels.count() == 1
