"""The pull credentials of a customer's licenses, as contacts see and change them."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from customers.mail import site_of
from customers.models import ContactRole
from customers.web.base import CustomerRequest, customer_page, customer_url
from customers.web.overview import LicenseCard, cards
from customers.web.pulling.identities import NAMED, identity_rows
from customers.web.pulling.login_lines import login_lines, pull_secret_lines
from licenses.models import License, PullCredential
from licenses.models.credentials import CredentialState
from licenses.models.licenses import EXPIRES_SOON, LicenseState
from licenses.selectors import (
    customers_pull_credentials_to_show,
    pull_credentials_of_team,
    secret_before,
)
from licenses.services import (
    change_pull_credential,
    create_pull_credential,
    revoke_pull_credential,
    rotate_pull_credential,
)
from licenses.web.credential_forms import (
    CredentialForm,
    NewCredentialForm,
    ReplaceForm,
    form_values,
    kept_expiry,
    words_of_revoking,
)
from licenses.web.identities.forms import KIND_MENU
from oci.pull_secrets import pull_secret_name
from portal.crypto.secrets import Secret
from portal.http.dialogs import confirm, edit_dialog, render_dialog
from portal.http.forms import refusals_in
from portal.http.pages import page_context, render_page
from teams.web.base import find
from teams.web.once import once


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """A pull credential in the customer's words."""

    credential: PullCredential
    card: LicenseCard
    vendor: str

    @property
    def status(self) -> CredentialState:
        return self.credential.state()

    @property
    def words(self) -> str:
        if self.status is CredentialState.REVOKED:
            return "revoked"
        if self.status is CredentialState.EXPIRED:
            return "ended"
        if not self.card.can_pull:
            return f"license {self.card.state}"
        if self.status is CredentialState.REPLACED:
            return "replaced"
        return "ends soon" if self._ends_soon else "works"

    @property
    def tone(self) -> str:
        tones = {"works": "good", "ends soon": "warning", "replaced": "warning"}
        is_over = self.status in {CredentialState.REVOKED, CredentialState.EXPIRED}
        return tones.get(self.words, "neutral" if is_over else "bad")

    @property
    def made_by(self) -> str:
        return self._named(
            self.credential.created_by_kind, self.credential.created_by_label
        )

    @property
    def revoked_by(self) -> str:
        return self._named(
            self.credential.revoked_by_kind, self.credential.revoked_by_label
        )

    @property
    def _ends_soon(self) -> bool:
        end = self.credential.expires_at
        return end is not None and end <= timezone.now() + EXPIRES_SOON

    def _named(self, kind: str, label: str) -> str:
        return label if kind in NAMED else self.vendor


class NewForm(NewCredentialForm):
    license = forms.ChoiceField(
        error_messages={"invalid_choice": "Choose one of your licenses."}
    )
    field_order = ("license", "name", "expires_at", "networks")

    def __init__(
        self,
        *args: Any,
        licenses: dict[str, License],
        names: dict[uuid.UUID, str],
        address: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.licenses = licenses
        if len(licenses) == 1:
            del self.fields["license"]
        else:
            choice: Any = self.fields["license"]
            choice.choices = [
                (pk, names[license.pk]) for pk, license in licenses.items()
            ]
        if address:
            self.fields["networks"].help_text += f" You are at {address} now."

    def chosen(self) -> License:
        only = next(iter(self.licenses))
        return self.licenses[self.cleaned_data.get("license", only)]


@require_safe
@customer_page()
def credentials(request: CustomerRequest) -> HttpResponse:
    """Show all pull credentials of the customer's licenses, by license."""
    shown = cards(request)
    rows: dict[uuid.UUID, list[CredentialRow]] = {}
    by_license = {card.license.pk: card for card in shown}
    for credential in customers_pull_credentials_to_show(request.customer):
        card = by_license.get(credential.license_id)
        if card is not None:
            row = CredentialRow(credential, card, request.look.name)
            rows.setdefault(credential.license_id, []).append(row)
    names = _headings(shown)
    identities = identity_rows(request)
    context = {
        "groups": [
            (
                card,
                names[card.license.pk],
                _ordered(rows.get(card.license.pk, [])),
                identities.get(card.license.pk, []),
            )
            for card in shown
        ],
        "identity_kinds": KIND_MENU,
        "can_add": request.may_change and any(_is_kept(card) for card in shown),
    }
    return render_page(request, "customers/credentials.html", context)


@customer_page(ContactRole.ADMINISTRATOR)
def add_credential(request: CustomerRequest) -> HttpResponse:
    """Create a pull credential, and show its text once."""
    shown = cards(request)
    licenses = {str(card.license.pk): card.license for card in shown if _is_kept(card)}
    form = NewForm(
        request.POST or None,
        licenses=licenses,
        names=license_names(card.license for card in shown),
        address=request.META["BERTH_CLIENT_ADDRESS"] or "",
        initial={"license": request.GET.get("license", "")},
    )
    if licenses and form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            values = {
                name: form.cleaned_data[name]
                for name in ("name", "expires_at", "networks")
            }
            credential, secret = create_pull_credential(
                actor=request.actor, license=form.chosen(), **values
            )
            submission.address = customer_url(request, "credentials")
            return _shown_once(request, credential, secret, "Pull credential made")
    return render_dialog(
        request,
        form=form,
        title="Make a pull credential",
        text="It pulls what the license pulls. You can replace or revoke it on its own."
        if licenses
        else "You have no license to make one for.",
        submit="Make pull credential",
        back=customer_url(request, "credentials"),
        is_possible=bool(licenses),
    )


@customer_page(ContactRole.ADMINISTRATOR)
def edit_credential(request: CustomerRequest, credential_id: uuid.UUID) -> HttpResponse:
    """Change a pull credential's name, expiry and networks."""

    def save(row: PullCredential, changes: dict[str, Any]) -> object:
        changes["expires_at"] = kept_expiry(row, changes["expires_at"])
        return change_pull_credential(
            actor=request.actor, credential=row, changes=changes
        )

    credential = _find(request, credential_id)
    return edit_dialog(
        request,
        CredentialForm,
        credential,
        values=form_values,
        save=save,
        title=f"Edit {credential.name}",
        text="Pulls follow within one second.",
        done=f"{credential.name} is saved.",
        back=customer_url(request, "credentials"),
    )


@customer_page(ContactRole.ADMINISTRATOR)
def rotate_credential(
    request: CustomerRequest, credential_id: uuid.UUID
) -> HttpResponse:
    """Make a new secret, and show it once; the old one goes on for a while.

    While the secret before still works, say so instead, and offer to end it.
    """
    credential = _find(request, credential_id)
    form = ReplaceForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            new, secret = rotate_pull_credential(
                actor=request.actor, credential=credential, old_ends_at=form.chosen_end
            )
            submission.address = customer_url(request, "credentials")
            return _shown_once(request, new, secret, "New secret")
    if before := secret_before(credential):
        return render_dialog(
            request,
            "licenses/pull_credential_rotated.html",
            title=f"{credential.name} cannot be rotated yet",
            back=customer_url(request, "credentials"),
            credential=credential,
            before=before,
            end=customer_url(request, "credentials-revoke", credential_id=before.pk),
        )
    return render_dialog(
        request,
        form=form,
        title=f"Rotate {credential.name}?",
        details="customers/credential_rotate.html",
        submit="Make new secret",
        back=customer_url(request, "credentials"),
        credential=credential,
    )


@customer_page(ContactRole.ADMINISTRATOR)
def revoke_credential(
    request: CustomerRequest, credential_id: uuid.UUID
) -> HttpResponse:
    """Revoke a pull credential, after showing what stops with it."""
    credential = _find(request, credential_id)
    return confirm(
        request,
        lambda: revoke_pull_credential(actor=request.actor, credential=credential),
        details="licenses/pull_credential_revoke.html",
        back=customer_url(request, "credentials"),
        credential=credential,
        **words_of_revoking(credential),
    )


def _headings(shown: Iterable[LicenseCard]) -> dict[uuid.UUID, str]:
    """Name licenses by their application, and those of the same one in full."""
    licenses = [card.license for card in shown]
    names = license_names(licenses)
    of_application = Counter(license.application_id for license in licenses)
    return {
        license.pk: names[license.pk]
        if of_application[license.application_id] > 1
        else license.application.name
        for license in licenses
    }


def license_names(licenses: Iterable[License]) -> dict[uuid.UUID, str]:
    """Return how a customer tells their licenses apart, by the licenses' IDs.

    Each has a name of its own: what does not tell two apart is followed by when they
    were issued, as the overview shows it, and then by a number.
    """
    oldest_first = sorted(licenses, key=lambda each: (each.created_at, each.pk))
    names = {license.pk: _license_name(license) for license in oldest_first}
    shared = Counter(names.values())
    for license in oldest_first:
        if shared[names[license.pk]] > 1:
            issued = f"{timezone.localtime(license.created_at):%Y-%m-%d %H:%M}"
            names[license.pk] += f", issued {issued}"
    shared = Counter(names.values())
    numbers: Counter[str] = Counter()
    for pk, name in names.items():
        if shared[name] > 1:
            numbers[name] += 1
            names[pk] = f"{name}, no. {numbers[name]}"
    return names


def _license_name(license: License) -> str:
    at = license.expires_at
    end = f"ends {timezone.localtime(at):%Y-%m-%d}" if at else "does not end"
    return f"{license.application.name} ({license.channel.name}, {end})"


def _ordered(rows: list[CredentialRow]) -> list[CredentialRow]:
    """Put a secret that goes on for a while below the one that replaced it."""
    before = {
        row.credential.replaced_by_id: row
        for row in rows
        if row.status is CredentialState.REPLACED
    }
    pairs = [
        (row, before.pop(row.credential.pk, None))
        for row in rows
        if row.status is not CredentialState.REPLACED
    ]
    ordered = [row for pair in pairs for row in pair if row is not None]
    return [*ordered, *before.values()]


def _is_kept(card: LicenseCard) -> bool:
    return card.license.state() is not LicenseState.REVOKED


def _find(request: CustomerRequest, credential_id: uuid.UUID) -> PullCredential:
    rows = pull_credentials_of_team(request.vendor.pk)
    credential: PullCredential = find(
        rows.filter(license__customer=request.customer), credential_id
    )
    return credential


def _shown_once(
    request: CustomerRequest, credential: PullCredential, secret: Secret, title: str
) -> HttpResponse:
    names = page_context(request)
    # They may be the same, and there may be no private registry.
    hosts = [*filter(None, {names["proxy_host"]: 1, names["registry_host"]: 1})]
    application = credential.license.application.slug
    return render_dialog(
        request,
        "customers/credential_created.html",
        title=f"{title}: {credential.name}",
        secret=secret.reveal(),
        docker=login_lines("docker", hosts),
        podman=login_lines("podman", hosts),
        kubernetes=pull_secret_lines(site_of(request)),
        secret_name=pull_secret_name(application),
        install=f"{customer_url(request, 'install')}?application={application}",
        back=customer_url(request, "credentials"),
    )
