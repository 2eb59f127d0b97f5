"""The signed license file as a vendor gives it out, and the root to check it with."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from licenses.files.license_keys import generate_key, license_roots
from licenses.models import LicenseSigningKey
from portal.crypto.pem import private_pem, public_pem
from teams.models import Membership
from tests.support.clients.api import ApiClient, code_of
from tests.support.clients.license_verifier import verify_license
from tests.support.pages.reading import text_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import LicenseFactory

ROOT = "/.well-known/berth-license-root.pem"


def test_what_the_api_gives_out_is_signed(
    support_api: ApiClient, client: Client
) -> None:
    license = LicenseFactory(team=support_api.team, customer__name="Initech ☂")
    roots = client.get(ROOT)

    response = support_api.get(f"/licenses/{license.pk}/file")

    signed = verify_license(response.content.decode(), roots.content.decode())
    assert signed["spec"]["licenseID"] == license.license_id.reveal()
    assert signed["spec"]["customerName"] == "Initech ☂"


def test_what_the_page_gives_out_is_signed(client: Client, owner: Membership) -> None:
    license = LicenseFactory(team=owner.team)
    client.force_login(owner.user)

    response = client.post(f"/t/acme/licenses/{license.pk}/file")

    signed = verify_license(response.content.decode(), license_roots().published())
    assert signed["spec"]["licenseID"] == license.license_id.reveal()


def test_no_file_without_a_root_and_the_error_says_so(
    owner_api: ApiClient, client: Client, owner: Membership, settings: Any
) -> None:
    license = LicenseFactory(team=owner.team)
    settings.BERTH_LICENSE_ROOT_KEY = ""
    client.force_login(owner.user)

    answered = owner_api.get(f"/licenses/{license.pk}/file")
    page = client.post(f"/t/acme/licenses/{license.pk}/file")

    assert answered.status_code == page.status_code == 409
    assert code_of(answered) == "license_signing_not_set_up"
    assert "BERTH_LICENSE_ROOT_KEY" in text_of(page)
    for response in (answered, page):
        assert license.license_id.reveal() not in response.content.decode()
    assert audited(owner.team) == []
    assert not LicenseSigningKey.objects.exists()


def test_the_roots_are_for_everybody(client: Client, settings: Any, db: None) -> None:
    signing, earlier = generate_key(), public_pem(generate_key().public_key())
    settings.BERTH_LICENSE_ROOT_KEY = private_pem(signing) + earlier

    response = client.get(ROOT)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/x-pem-file"
    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert response.content.decode() == public_pem(signing.public_key()) + earlier


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_the_roots_are_only_read(method: str, client: Client, db: None) -> None:
    assert getattr(client, method)(ROOT).status_code == 405


def test_without_a_root_there_is_none(client: Client, settings: Any, db: None) -> None:
    settings.BERTH_LICENSE_ROOT_KEY = ""

    assert client.get(ROOT).status_code == 404
