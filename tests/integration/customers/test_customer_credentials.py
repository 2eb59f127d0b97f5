"""The customer's page of pull credentials, and its dialogs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from audit.tags import EventTag
from customers.models import Contact
from licenses.models import License, PullCredential
from licenses.selectors import pull_credential_by_secret
from licenses.services import rotate_pull_credential
from portal.crypto.secrets import Secret
from teams.actors import Actor
from teams.models import IdempotencyRecord, Membership, Team
from tests.integration.customers.conftest import signed_in
from tests.integration.customers.test_customer_pages import own, viewed
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import message_of, seen, submission
from tests.support.pages.team_pages import signed_in as member_browser
from tests.support.rows.factories import (
    ContactFactory,
    LicenseFactory,
    PullCredentialFactory,
)
from tests.support.rows.world import rows_of

TEXT = re.compile(r"berth_pull_\w{12}_\w{49}")
NEW = "credentials/new"
DIALOGS = [
    NEW,
    "credentials/{0}/edit",
    "credentials/{0}/rotate",
    "credentials/{0}/revoke",
]


@pytest.fixture
def license(anna: Contact) -> License:
    return LicenseFactory(
        team=anna.team, customer=anna.customer, application__name="Kestrel"
    )


@pytest.fixture
def admin(anna: Contact, license: License) -> Client:
    """A browser of an administrator of the customer with the license."""
    return signed_in(anna)


def secret_on(response: Any) -> str:
    assert response.status_code == 200
    (text,) = set(TEXT.findall(response.content.decode()))
    return str(text)


def test_each_credential_is_told_in_words_under_its_license(
    admin: Client, anna: Contact, license: License, actor: Actor
) -> None:
    now = timezone.now()
    old = PullCredentialFactory(
        license=license, name="farm", key="abcdefghijkl", networks=["192.0.2.0/24"]
    )
    rotate_pull_credential(actor=actor, credential=old)
    PullCredential.objects.filter(pk=old.pk).update(
        last_used_at=now + timedelta(minutes=1),
        last_used_address="192.0.2.7",
        last_used_client="containerd/1.7",
    )
    PullCredentialFactory(
        license=license,
        name="gone",
        revoked_at=now,
        revoked_by_kind="contact",
        revoked_by_label=anna.email,
    )
    PullCredentialFactory(
        license=license,
        name="found",
        revoked_at=now - timedelta(1),
        revoked_by_kind="system",
        revoked_by_label="Report of a leaked secret",
        was_leaked=True,
    )
    PullCredentialFactory(license=license, name="past", expires_at=now)
    PullCredentialFactory(license=license, name="soon", expires_at=now + timedelta(2))
    second = LicenseFactory(
        team=anna.team, customer=anna.customer, application__name="Osprey", revoked=True
    )
    PullCredentialFactory(license=second, name="dead")
    PullCredentialFactory(license=LicenseFactory(team=anna.team), name="foreign")

    response = admin.get(own(anna, "credentials"))

    text = text_of(response)
    assert "farm berth_pull_abcdefgh… made by Acme" in text
    assert "replaced still used by containerd/1.7 from 192.0.2.7" in text
    assert "192.0.2.0/24" in text
    assert f"revoked by {anna.email}" in text
    assert "revoked because it was found in public" in text
    assert "Report of a leaked secret" not in text
    assert "Kestrel works" in text
    assert "Osprey revoked No image can be pulled with this license" in text
    assert "foreign" not in text
    words = [
        (row.credential.name, row.words)
        for _, _, rows, _ in response.context["groups"]
        for row in rows
    ]
    assert words == [
        ("soon", "ends soon"),
        ("farm", "works"),
        ("farm", "replaced"),
        ("past", "ended"),
        ("found", "revoked"),
        ("gone", "revoked"),
        ("dead", "license revoked"),
    ]
    # The vendor's people are not named.
    assert "owner@acme.example" not in response.content.decode()
    assert actor.label not in response.content.decode()


def test_a_new_one_is_shown_once_and_made_once(
    admin: Client, anna: Contact, license: License
) -> None:
    form = {
        "name": "cluster",
        "networks": "192.0.2.0/24, 10.1.2.3",
        "expires_at": "2031-01-02T03:04",
        **submission(),
    }

    made = admin.post(own(anna, NEW), form)
    again = admin.post(own(anna, NEW), form)

    secret = secret_on(made)
    row = pull_credential_by_secret(Secret(secret))
    assert row is not None
    assert (row.license, row.name, row.networks) == (
        license,
        "cluster",
        ["192.0.2.0/24", "10.1.2.3/32"],
    )
    assert (row.created_by_kind, row.created_by_label) == ("contact", anna.email)
    assert "no-store" in made.headers["Cache-Control"]
    assert again.headers["Location"] == own(anna, "credentials")
    assert PullCredential.objects.count() == 1
    page = admin.get(own(anna, "credentials"))
    assert secret not in page.content.decode()
    assert f"made by {anna.email}" in text_of(page)
    assert secret not in IdempotencyRecord.objects.get().body.reveal()
    event = AuditEvent.objects.get(tag=EventTag.PULL_CREDENTIAL_CREATED)
    assert (event.actor_kind, event.actor_label) == ("contact", anna.email)


def test_its_commands_hold_no_secret(admin: Client, anna: Contact) -> None:
    response = admin.post(own(anna, NEW), {"name": "cluster", **submission()})

    commands = [response.context[name] for name in ("docker", "podman", "kubernetes")]
    assert secret_on(response) not in "".join(commands)
    assert "docker login testserver" in commands[0]
    assert "podman login testserver" in commands[1]
    assert "/api/v1/license/pull-secret" in commands[2]


def test_a_license_is_chosen_if_there_are_several(
    admin: Client, anna: Contact, license: License
) -> None:
    second = LicenseFactory(team=anna.team, customer=anna.customer)
    LicenseFactory(team=anna.team, customer=anna.customer, revoked=True)
    foreign = LicenseFactory(team=anna.team)
    page = admin.get(own(anna, NEW))
    offered = page.context["form"]["license"].field.choices
    assert {pk for pk, _ in offered} == {str(license.pk), str(second.pk)}

    values = {"name": "cluster", "license": str(foreign.pk)}
    refused = admin.post(own(anna, NEW), values | submission())
    assert message_of(refused, "license") == "Choose one of your licenses."
    assert not PullCredential.objects.exists()
    admin.post(own(anna, NEW), values | {"license": str(second.pk)} | submission())
    assert PullCredential.objects.get().license == second


@pytest.mark.parametrize(
    ("values", "lasts"),
    [
        ({"old_ends": "7"}, timedelta(days=7)),
        ({"old_ends": "90"}, timedelta(days=90)),
        ({"old_ends": "0"}, timedelta(0)),
    ],
)
def test_rotating_lets_the_old_one_go_on(
    admin: Client,
    anna: Contact,
    license: License,
    values: dict[str, str],
    lasts: timedelta,
) -> None:
    old = PullCredentialFactory(license=license, name="farm")
    path = own(anna, f"credentials/{old.pk}/rotate")

    response = admin.post(path, values | submission())

    new = pull_credential_by_secret(Secret(secret_on(response)))
    old.refresh_from_db()
    assert new is not None
    assert (old.replaced_by, new.name) == (new, "farm")
    assert abs(old.expires_at - timezone.now() - lasts) < timedelta(minutes=1)


def test_rotating_again_says_what_to_do_first(
    admin: Client, anna: Contact, license: License, actor: Actor
) -> None:
    old = PullCredentialFactory(license=license, name="farm")
    new, _ = rotate_pull_credential(actor=actor, credential=old)
    PullCredential.objects.filter(pk=old.pk).update(
        last_used_at=timezone.now() + timedelta(minutes=1),
        last_used_client="containerd/1.7",
    )
    rotate = own(anna, f"credentials/{new.pk}/rotate")
    end = own(anna, f"credentials/{old.pk}/revoke")
    admin.get(own(anna))  # notes that she was here
    before = rows_of(anna.team)

    for response in (
        admin.get(rotate),
        admin.post(rotate, {"old_ends": "7"} | submission()),
    ):
        text = text_of(response)
        assert "farm cannot be rotated yet" in text
        assert "The previous secret is still used" in text
        assert "by containerd/1.7" in text
        assert f'href="{end}"' in response.content.decode()
    assert rows_of(anna.team) == before

    admin.post(end)
    secret_on(admin.post(rotate, {"old_ends": "7"} | submission()))


def test_the_old_one_may_end_at_another_time(
    admin: Client, anna: Contact, license: License
) -> None:
    old = PullCredentialFactory(license=license)
    path = own(anna, f"credentials/{old.pk}/rotate")
    soon = timezone.now() + timedelta(days=3)

    for ends, words in (
        ("", "Enter a date and time."),
        ("2090-01-01T00:00", "within 90 days"),
    ):
        values = {"old_ends": "at", "old_ends_at": ends}
        refused = admin.post(path, values | submission())
        assert words in message_of(refused, "old_ends_at")
    assert PullCredential.objects.count() == 1
    entered = f"{timezone.localtime(soon):%Y-%m-%dT%H:%M}"
    secret_on(
        admin.post(path, {"old_ends": "at", "old_ends_at": entered} | submission())
    )

    old.refresh_from_db()
    assert abs(old.expires_at - soon) < timedelta(minutes=1)


def test_an_administrator_edits_and_revokes(
    admin: Client, anna: Contact, license: License
) -> None:
    row = PullCredentialFactory(license=license, name="farm")
    edit = own(anna, f"credentials/{row.pk}/edit")

    admin.post(edit, {"name": "barn", "networks": "10.0.0.0/8"} | seen(admin, edit))
    row.refresh_from_db()
    assert (row.name, row.networks) == ("barn", ["10.0.0.0/8"])

    revoke = own(anna, f"credentials/{row.pk}/revoke")
    assert "never used" in text_of(admin.get(revoke))
    assert admin.post(revoke).headers["Location"] == own(anna, "credentials")
    row.refresh_from_db()
    assert row.revoked_at is not None
    assert (row.revoked_by_kind, row.revoked_by_label) == ("contact", anna.email)


def test_without_a_license_there_is_nothing_to_make(
    anna: Contact, reader: Contact
) -> None:
    browser = signed_in(anna)

    page = browser.get(own(anna, "credentials"))
    assert "No licenses yet" in text_of(page)
    assert own(anna, NEW) not in page.content.decode()
    refused = browser.post(own(anna, NEW), {"name": "cluster", **submission()})
    assert "You have no license" in text_of(refused)
    assert not PullCredential.objects.exists()


def test_a_reader_sees_all_and_changes_nothing(
    reader: Contact, license: License, team: Team
) -> None:
    row = PullCredentialFactory(license=license, name="farm")
    browser = signed_in(reader)
    before = rows_of(team)

    page = browser.get(own(reader, "credentials"))
    assert "farm" in text_of(page)
    assert "Administrators make, rotate and revoke" in text_of(page)
    assert "/rotate" not in page.content.decode()
    assert NEW not in page.content.decode()
    for dialog in DIALOGS:
        address = own(reader, dialog.format(row.pk))
        values = {"name": "mine", "old_ends": "0", **submission()}
        for response in (browser.get(address), browser.post(address, values)):
            assert response.status_code == 403
            assert "Only administrators of Initech" in text_of(response)
    assert _without_visits(rows_of(team)) == _without_visits(before)


def test_a_member_who_views_it_changes_nothing(
    viewer: Membership, license: License, team: Team
) -> None:
    row = PullCredentialFactory(license=license, name="farm")
    browser = member_browser(viewer)
    customer = license.customer
    page = browser.get(viewed(customer, "credentials"))
    assert "farm" in text_of(page)
    assert "/rotate" not in page.content.decode()
    before = rows_of(team)

    for dialog in DIALOGS:
        address = viewed(customer, dialog.format(row.pk))
        for response in (browser.get(address), browser.post(address, submission())):
            assert response.status_code == 404
    assert browser.post(viewed(customer, "credentials")).status_code == 405
    assert rows_of(team) == before


def test_other_customers_contacts_find_nothing(
    license: License, team: Team, anna: Contact
) -> None:
    row = PullCredentialFactory(license=license)
    stranger = ContactFactory(customer__team=team, customer__name="Globex")
    LicenseFactory(team=team, customer=stranger.customer)
    browser = signed_in(stranger)
    browser.get(own(stranger))
    before = rows_of(team)

    for page in ("credentials", *DIALOGS):
        address = own(anna, page.format(row.pk))
        for response in (browser.get(address), browser.post(address, submission())):
            assert response.status_code in {404, 405}
    for page in DIALOGS[1:]:
        # Through the stranger's own customer, neither.
        address = own(stranger, page.format(row.pk))
        for response in (browser.get(address), browser.post(address, submission())):
            assert response.status_code == 404
    assert rows_of(team) == before


@pytest.mark.parametrize("page", ["credentials", *DIALOGS])
def test_strangers_sign_in_first(license: License, anna: Contact, page: str) -> None:
    row = PullCredentialFactory(license=license)

    response = Client().get(own(anna, page.format(row.pk)))

    assert response.headers["Location"].startswith("/accounts/login/code/?next=/c/")


def test_more_credentials_take_no_more_queries(
    admin: Client, anna: Contact, license: License
) -> None:
    PullCredentialFactory(license=license)
    admin.get(own(anna, "credentials"))  # notes that she was here

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(own(anna, "credentials")).status_code == 200
        return len(captured)

    few = queries()
    for _ in range(3):
        more = LicenseFactory(team=anna.team, customer=anna.customer)
        PullCredentialFactory.create_batch(3, license=more)
        PullCredentialFactory(license=more, revoked_at=timezone.now())

    assert queries() == few


def _without_visits(rows: dict[str, Any]) -> dict[str, Any]:
    """Leave out when contacts were last here."""
    return {
        label: found for label, found in rows.items() if label != "customers.Contact"
    }
