from __future__ import annotations

import pytest

from licenses.models import LicenseField
from portal.crypto.secrets import Secret
from tests.support.clients.api import ApiClient
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    LicenseFactory,
    LicenseFieldFactory,
)


def test_license_fields(member_api: ApiClient) -> None:
    application = ApplicationFactory(team=member_api.team)
    path = f"/applications/{application.slug}/license-fields"

    created = member_api.post(
        path,
        {"name": "plan", "title": "Plan", "type": "Enum", "options": ["gold", "iron"]},
    )
    field_path = f"{path}/{created.json()['id']}"
    changed = member_api.patch(field_path, {"default": "iron", "required": True})
    refused = member_api.patch(field_path, {"default": "lead"})
    deleted = member_api.delete(field_path)

    assert created.status_code == 201
    assert changed.status_code == 200
    assert changed.json()["default"] == "iron"
    assert refused.status_code == 400
    assert refused.json()["errors"] == {"default": ["plan must be one of: gold, iron."]}
    assert deleted.status_code == 204
    assert not LicenseField.objects.exists()
    assert [tag for tag, _ in audited(member_api.team)] == [
        "license-field:created",
        "license-field:changed",
        "license-field:deleted",
    ]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"name": "1st"}, ["name"]),
        ({"name": "expires_at"}, ["name"]),
        ({"name": "Expires_At"}, ["name"]),
        ({"type": "Float"}, ["type"]),
        ({"type": "Enum"}, ["body"]),
        ({"type": "String", "options": ["a"]}, ["body"]),
        ({"type": "Integer", "default": "1"}, ["default"]),
        ({"type": "Integer", "default": 10**30}, ["default"]),
        ({"type": "String", "default": {"deep": []}}, ["default"]),
        ({"options": "gold"}, ["options"]),
    ],
)
def test_create_license_field_reports_invalid_fields(
    body: dict[str, object], fields: list[str], owner_api: ApiClient
) -> None:
    application = ApplicationFactory(team=owner_api.team)
    good = {"name": "plan", "title": "Plan", "type": "String"}

    response = owner_api.post(
        f"/applications/{application.slug}/license-fields", good | body
    )

    assert response.status_code == 400
    assert sorted(response.json()["errors"]) == fields
    assert not LicenseField.objects.exists()


def test_license_fields_are_denied_to_support(support_api: ApiClient) -> None:
    field = LicenseFieldFactory(application__team=support_api.team)
    path = f"/applications/{field.application.slug}/license-fields"

    assert support_api.delete(f"{path}/{field.pk}").status_code == 403
    assert support_api.patch(f"{path}/{field.pk}", {"title": "x"}).status_code == 403
    assert LicenseField.objects.get().title == field.title


def test_delete_license_field_takes_its_values_along(owner_api: ApiClient) -> None:
    license = LicenseFactory(
        team=owner_api.team,
        field_values={"plan": "gold"},
        secret_field_values=Secret('{"db_password": "hunter2"}'),
    )
    field = LicenseFieldFactory(
        application=license.application, name="db_password", type="Password"
    )

    owner_api.delete(
        f"/applications/{license.application.slug}/license-fields/{field.pk}"
    )

    shown = owner_api.get(f"/licenses/{license.pk}").json()
    assert shown["field_values"] == {"plan": "gold"}
    assert shown["sequence"] == 2
