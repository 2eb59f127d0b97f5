from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client

from portal.crypto.fields import EncryptedField
from teams.models import Team
from tests.support.clients.api import ApiClient
from tests.support.rows.factories import UserFactory
from tests.support.rows.world import make_world

SECRET_COLUMNS = {"password", "key", "digest", "license_id_digest", "field_values"}


@pytest.fixture
def operator(db: None) -> Client:
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def models() -> list[type]:
    return list(admin.site._registry)


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_admin_names_its_fields_and_none_is_secret(model: type) -> None:
    shown = set(admin.site._registry[model].fields or ())
    encrypted = {
        field.name
        for field in model._meta.get_fields()  # type: ignore[attr-defined]  # a model
        if isinstance(field, EncryptedField)
    }

    assert shown
    assert not shown & (SECRET_COLUMNS | encrypted)


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_admin_shows_but_changes_nothing(
    model: type, operator: Client, team: Team, owner_api: ApiClient
) -> None:
    make_world(team)
    meta = model._meta  # type: ignore[attr-defined]  # a model
    base = f"/admin/{meta.app_label}/{meta.model_name}/"
    row = model._base_manager.first()  # type: ignore[attr-defined]  # a model
    pages = [operator.get(base).status_code, operator.get(f"{base}add/").status_code]

    assert pages == [200, 403]
    if row is not None:
        assert operator.get(f"{base}{row.pk}/change/").status_code == 200
        assert operator.post(f"{base}{row.pk}/change/", {}).status_code == 403
        assert operator.post(f"{base}{row.pk}/delete/", {}).status_code == 403


def test_admin_is_closed_to_owners(owner_api: ApiClient) -> None:
    client = Client()
    client.force_login(UserFactory())

    assert client.get("/admin/").status_code == 302
