"""The trusted identities of a customer's licenses, as contacts see and change them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse

from customers.models import ContactRole
from customers.web.base import CustomerRequest, customer_page, customer_url
from licenses.identity_selectors import (
    customers_identities_to_show,
    identities_of_team,
)
from licenses.models import License, TrustedIdentity
from licenses.selectors import licenses_for_team
from licenses.services.identities import (
    change_trusted_identity,
    remove_trusted_identity,
)
from licenses.web.identities.forms import (
    REMOVING,
    IdentityChangesForm,
    identity_values,
)
from licenses.web.identities.pages import render_adding, render_test
from portal.http.dialogs import confirm, edit_dialog
from teams.actors import ActorKind
from teams.web.base import find

# Everybody else works for the vendor, and is not named to customers.
NAMED = {ActorKind.CONTACT, ActorKind.LICENSE, ActorKind.SYSTEM}


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """A trusted identity in the customer's words."""

    identity: TrustedIdentity
    vendor: str

    @property
    def added_by(self) -> str:
        return self._named(
            self.identity.created_by_kind, self.identity.created_by_label
        )

    @property
    def removed_by(self) -> str:
        return self._named(
            self.identity.removed_by_kind, self.identity.removed_by_label
        )

    def _named(self, kind: str, label: str) -> str:
        return label if kind in NAMED else self.vendor


def identity_rows(request: CustomerRequest) -> dict[uuid.UUID, list[IdentityRow]]:
    """Return the trusted identities of the customer's licenses, by license."""
    rows: dict[uuid.UUID, list[IdentityRow]] = {}
    for identity in customers_identities_to_show(request.customer):
        row = IdentityRow(identity, request.look.name)
        rows.setdefault(identity.license_id, []).append(row)
    return rows


@customer_page(ContactRole.ADMINISTRATOR)
def add_identity(
    request: CustomerRequest, license_id: uuid.UUID, kind: str
) -> HttpResponse:
    """Trust workload tokens of an issuer."""
    license = _license(request, license_id)
    back = customer_url(request, "credentials")
    return render_adding(request, license, kind, back)


@customer_page(ContactRole.ADMINISTRATOR)
def edit_identity(request: CustomerRequest, identity_id: uuid.UUID) -> HttpResponse:
    """Change a trusted identity's label and key set."""

    def save(row: TrustedIdentity, changes: dict[str, Any]) -> object:
        return change_trusted_identity(
            actor=request.actor, identity=row, changes=changes
        )

    identity = _find(request, identity_id)
    return edit_dialog(
        request,
        IdentityChangesForm,
        identity,
        values=identity_values,
        save=save,
        names={"issuer": "key_set"},
        title=f"Edit {identity.label}",
        text="For another issuer, audience or rule, add another trusted identity.",
        done=f"{identity.label} is saved.",
        back=customer_url(request, "credentials"),
    )


@customer_page(ContactRole.ADMINISTRATOR)
def remove_identity(request: CustomerRequest, identity_id: uuid.UUID) -> HttpResponse:
    """Remove a trusted identity."""
    identity = _find(request, identity_id)
    return confirm(
        request,
        lambda: remove_trusted_identity(actor=request.actor, identity=identity),
        title=f"Remove {identity.label}?",
        text=REMOVING,
        submit="Remove",
        done=f"{identity.label} is no longer trusted.",
        back=customer_url(request, "credentials"),
    )


@customer_page(ContactRole.ADMINISTRATOR)
def test_identities(request: CustomerRequest, license_id: uuid.UUID) -> HttpResponse:
    """Show which trusted identity accepts a pasted token, and what others miss."""
    license = _license(request, license_id)
    return render_test(request, license, back=customer_url(request, "credentials"))


def _license(request: CustomerRequest, license_id: uuid.UUID) -> License:
    licenses = licenses_for_team(request.vendor.pk).unarchived()
    license: License = find(licenses.filter(customer=request.customer), license_id)
    return license


def _find(request: CustomerRequest, identity_id: uuid.UUID) -> TrustedIdentity:
    rows = identities_of_team(request.vendor.pk)
    identity: TrustedIdentity = find(
        rows.filter(license__customer=request.customer), identity_id
    )
    return identity
