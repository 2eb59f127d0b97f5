"""Trusted identities on the customer's page of credentials."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from customers.models import Contact
from licenses.models import License, TrustedIdentity
from tests.integration.customers.conftest import signed_in
from tests.integration.customers.test_customer_pages import own
from tests.support.issuers.token_issuer import TokenIssuer, key_set, new_key
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import seen, submission
from tests.support.rows.factories import ContactFactory, LicenseFactory
from tests.support.rows.identities import TrustedIdentityFactory, trusted
from tests.support.rows.world import rows_of

PATH = "credentials/trusted-identities"
VALUES = {
    "label": "Cluster",
    "issuer": "https://cluster.example",
    "namespace": "prod",
    "audience": "images.example",
    "key_set": key_set(new_key()),
}


@pytest.fixture
def license(anna: Contact) -> License:
    return LicenseFactory(
        team=anna.team, customer=anna.customer, application__name="Kestrel"
    )


@pytest.fixture
def admin(anna: Contact, license: License) -> Client:
    return signed_in(anna)


def test_an_administrator_adds_changes_tests_and_removes_one(
    admin: Client, anna: Contact, license: License
) -> None:
    add = own(anna, f"{PATH}/{license.pk}/new/kubernetes")
    added = admin.post(add, {**submission(), **VALUES})
    assert added.status_code == 302
    identity = TrustedIdentity.objects.get()
    assert (identity.license, identity.created_by_label) == (license, anna.email)
    assert identity.created_by_kind == "contact"
    text = text_of(admin.get(own(anna, "credentials")))
    assert f"added by {anna.email}" in text
    assert "namespace is prod" in text

    edit = own(anna, f"{PATH}/{identity.pk}/edit")
    changes = {**seen(admin, edit), "label": "EU", "key_set": VALUES["key_set"]}
    assert admin.post(edit, changes).status_code == 302
    issuer = TokenIssuer(VALUES["issuer"])
    token = issuer.token("system:serviceaccount:prod:api", aud="images.example")
    test = admin.post(own(anna, f"{PATH}/{license.pk}/test"), {"token": token})
    assert "This token pulls." in text_of(test)
    assert token not in test.content.decode()
    assert admin.post(own(anna, f"{PATH}/{identity.pk}/remove")).status_code == 302

    identity.refresh_from_db()
    assert (identity.label, identity.removed_by_label) == ("EU", anna.email)
    assert "EU removed" in text_of(admin.get(own(anna, "credentials")))


def test_the_vendors_people_are_not_named(
    admin: Client, anna: Contact, license: License
) -> None:
    TrustedIdentityFactory(license=license, created_by_label="owner@acme.example")

    text = text_of(admin.get(own(anna, "credentials")))

    assert "owner@acme.example" not in text
    assert f"added by {license.team.name}" in text


def test_a_reader_looks_and_changes_nothing(anna: Contact, license: License) -> None:
    identity = trusted(license, TokenIssuer())
    reader = ContactFactory(customer=anna.customer, role="reader")
    browser = signed_in(reader)
    page = browser.get(own(reader, "credentials"))
    before = rows_of(license.team)

    assert identity.label in text_of(page)
    assert PATH not in page.content.decode()
    for path in (
        f"{license.pk}/new/kubernetes",
        f"{license.pk}/test",
        f"{identity.pk}/edit",
        f"{identity.pk}/remove",
    ):
        for send in (browser.get, browser.post):
            assert send(own(reader, f"{PATH}/{path}")).status_code == 403
    assert rows_of(license.team) == before


@pytest.mark.parametrize("method", ["get", "post"])
def test_another_customers_are_unknown(
    admin: Client, anna: Contact, method: str
) -> None:
    theirs: Any = TrustedIdentityFactory(
        license=LicenseFactory(team=anna.team, application__name="Other")
    )
    admin.get(own(anna, "credentials"))
    before = rows_of(anna.team)

    for path in (
        f"{theirs.license_id}/new/kubernetes",
        f"{theirs.license_id}/test",
        f"{theirs.pk}/edit",
        f"{theirs.pk}/remove",
    ):
        response = getattr(admin, method)(own(anna, f"{PATH}/{path}"), VALUES)
        assert response.status_code == 404
    assert rows_of(anna.team) == before
