"""License files on the customer's pages: who downloads them, and what has changed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from customers.actors import contact_actor
from customers.models import Contact
from deploy.local.demo_settings import PROJECT
from licenses.models import License
from licenses.services import (
    change_license,
    download_license_file,
    reinstate_license,
    reveal_license_id,
    revoke_license,
)
from portal.errors import NotAllowed
from teams.actors import Actor
from teams.models import Membership
from tests.integration.customers.conftest import signed_in
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in as member_browser
from tests.support.rows.factories import ContactFactory, LicenseFactory

DOWNLOADED = "license:file-downloaded"


@pytest.fixture
def license(anna: Contact) -> License:
    return LicenseFactory(
        customer=anna.customer, team=anna.team, application__slug="kestrel"
    )


def page(contact: Contact, rest: str = "") -> str:
    return f"/c/{contact.customer_id}/license-file{rest}"


def downloads() -> int:
    return AuditEvent.objects.filter(tag=DOWNLOADED).count()


def test_an_administrator_downloads_the_file(anna: Contact, license: License) -> None:
    response = signed_in(anna).post(page(anna, f"/{license.pk}/download"))

    assert response.headers["Cache-Control"] == "no-store"
    assert 'filename="license-kestrel.yaml"' in response.headers["Content-Disposition"]
    document = yaml.safe_load(response.content)
    assert document["spec"]["licenseID"] == license.license_id.reveal()
    event = AuditEvent.objects.get(tag=DOWNLOADED)
    assert (event.actor_kind, event.actor_label) == ("contact", anna.email)
    assert event.actor_id == anna.pk
    assert event.subject_id == license.pk


def test_a_reader_sees_the_file_but_cannot_download_it(
    reader: Contact, license: License
) -> None:
    browser = signed_in(reader)

    text = text_of(browser.get(page(reader)))
    response = browser.post(page(reader, f"/{license.pk}/download"))

    assert "license-kestrel.yaml" in text
    assert "Administrators of Initech can download it." in text
    assert response.status_code == 403
    assert license.license_id.reveal() not in response.content.decode()
    assert downloads() == 0


def test_nobody_else_can_download_the_file(
    anna: Contact, license: License, viewer: Membership, owner: Membership
) -> None:
    stranger = ContactFactory(customer__team=anna.team, email="x@other.example")
    theirs = LicenseFactory(team=anna.team)
    viewed = f"/t/{anna.team.slug}/customers/{anna.customer_id}/view/license-file"
    own = page(anna, f"/{license.pk}/download")

    assert signed_in(stranger).post(own).status_code == 404
    assert (
        signed_in(stranger).post(page(stranger, f"/{license.pk}/download")).status_code
        == 404
    )
    assert signed_in(anna).post(page(anna, f"/{theirs.pk}/download")).status_code == 404
    for member in (viewer, owner):
        browser = member_browser(member)
        assert browser.get(viewed).status_code == 200
        assert browser.post(f"{viewed}/{license.pk}/download").status_code == 404
        assert browser.post(own).status_code == 404
    assert "/accounts/login/code/" in Client().post(own).headers["Location"]
    assert signed_in(anna).get(own).status_code == 405
    assert downloads() == 0


def test_a_contact_gets_no_other_file_and_no_license_id(
    anna: Contact, license: License
) -> None:
    actor = contact_actor(anna, anna.pk)
    theirs = LicenseFactory(team=anna.team)

    with pytest.raises(NotAllowed):
        download_license_file(actor=actor, license=theirs)
    with pytest.raises(NotAllowed):
        reveal_license_id(actor=actor, license=license)
    assert not AuditEvent.objects.filter(tag__startswith="license:").exists()


def test_changes_are_listed_without_the_vendors_details(
    anna: Contact, license: License, actor: Actor
) -> None:
    until = timezone.now() + timedelta(days=90)
    change_license(actor=actor, license=license, changes={"expires_at": until})
    revoke_license(actor=actor, license=license, reason="They owe us money")
    reinstate_license(actor=actor, license=license)
    download_license_file(actor=actor, license=license)
    reveal_license_id(actor=actor, license=license)
    browser = signed_in(anna)
    browser.post(page(anna, f"/{license.pk}/download"))

    response = browser.get(page(anna))

    (card,) = response.context["cards"]
    assert [(entry.text, entry.who) for entry in card.history] == [
        ("License file downloaded", anna.email),
        ("Reinstated", "Acme"),
        ("Revoked", "Acme"),
        ("Changed", "Acme"),
    ]
    assert card.history[-1].detail == "expiry"
    assert card.history[-1].until is not None
    text = text_of(response)
    assert "owe" not in text
    assert actor.label not in text


def test_the_copied_lines_verify_the_file(
    anna: Contact, license: License, tmp_path: Path
) -> None:
    browser = signed_in(anna)
    response = browser.get(page(anna))
    (card,) = response.context["cards"]
    assert card.verify in text_of(response)
    address = response.context["fetch_root_key"].split()[-1]
    assert address in text_of(response)

    key = browser.get(address.removeprefix("http://testserver")).content
    (tmp_path / "berth-license-root.pem").write_bytes(key)
    downloaded = browser.post(page(anna, f"/{license.pk}/download"))
    (tmp_path / "license-kestrel.yaml").write_bytes(downloaded.content)
    verified = subprocess.run(
        [sys.executable, "-m", "installer", *shlex.split(card.verify)[1:]],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr


def test_the_number_of_queries_does_not_grow_with_licenses(
    anna: Contact, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        LicenseFactory(customer=anna.customer, team=anna.team)
    browser = signed_in(anna)
    browser.get(page(anna))

    with django_assert_max_num_queries(9):
        response = browser.get(page(anna))
    assert len(response.context["cards"]) == 10
    older = response.context["page"].next
    second = browser.get(page(anna), {"page": older})
    assert len(second.context["cards"]) == 2
