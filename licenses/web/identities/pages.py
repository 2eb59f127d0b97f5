"""Dialogs of a license's trusted identities."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpResponse

from licenses.identities.rules import IdentityKind
from licenses.identity_selectors import identities_of_license
from licenses.models import License, TrustedIdentity
from licenses.selectors import licenses_for_team
from licenses.services.identities import (
    TokenTest,
    change_trusted_identity,
    examine_token,
    remove_trusted_identity,
    trust_identity,
)
from licenses.web.identities.forms import (
    EXPLANATION,
    FORMS,
    REMOVING,
    TITLES,
    IdentityChangesForm,
    TokenForm,
    identity_values,
)
from licenses.web.licenses import license_address
from portal.crypto.secrets import Secret
from portal.http.dialogs import confirm, edit_dialog, render_dialog
from portal.http.forms import refusals_in
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page
from teams.web.once import once


@team_page(Permission.CREDENTIAL_MANAGE)
def add_identity(
    request: TeamRequest, license_id: uuid.UUID, kind: str
) -> HttpResponse:
    """Trust workload tokens of an issuer."""
    license = find(licenses_for_team(request.team.pk), license_id)
    return render_adding(request, license, kind, license_address(request, license))


def render_adding(request: Any, license: License, kind: str, back: str) -> HttpResponse:
    """Render the dialog that adds an identity of a kind, or add it."""
    chosen = kind_of(kind)
    form = FORMS[chosen](request.POST or None)
    if form.is_valid():
        with refusals_in(request, form, form.names):
            form.read_keys(license.team_id)
            with once(request, form) as submission:
                identity = trust_identity(
                    actor=request.actor, license=license, **form.values()
                )
                return submission.done(back, f"{identity} is trusted now.")
    return render_dialog(
        request,
        form=form,
        title=TITLES[chosen],
        text=EXPLANATION,
        submit="Trust it",
        back=back,
    )


def kind_of(text: str) -> IdentityKind:
    """Return the kind that an address names, or raise Http404."""
    try:
        return IdentityKind(text)
    except ValueError as error:
        raise Http404 from error


@team_page(Permission.CREDENTIAL_MANAGE)
def edit_identity(
    request: TeamRequest, license_id: uuid.UUID, identity_id: uuid.UUID
) -> HttpResponse:
    """Change a trusted identity's label and key set."""
    license, identity = _found(request, license_id, identity_id)

    def save(row: TrustedIdentity, changes: dict[str, Any]) -> object:
        return change_trusted_identity(
            actor=request.actor, identity=row, changes=changes
        )

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
        back=license_address(request, license),
    )


@team_page(Permission.CREDENTIAL_MANAGE)
def remove_identity(
    request: TeamRequest, license_id: uuid.UUID, identity_id: uuid.UUID
) -> HttpResponse:
    """Remove a trusted identity."""
    license, identity = _found(request, license_id, identity_id)
    return confirm(
        request,
        lambda: remove_trusted_identity(actor=request.actor, identity=identity),
        title=f"Remove {identity.label}?",
        text=REMOVING,
        submit="Remove",
        done=f"{identity.label} is no longer trusted.",
        back=license_address(request, license),
    )


@team_page(Permission.LICENSE_READ)
def test_identities(request: TeamRequest, license_id: uuid.UUID) -> HttpResponse:
    """Show which trusted identity accepts a pasted token, and what others miss."""
    license = find(licenses_for_team(request.team.pk), license_id)
    return render_test(request, license, back=license_address(request, license))


def render_test(request: Any, license: License, *, back: str) -> HttpResponse:
    """Render the dialog in which a token is pasted; it is never rendered itself."""
    form = TokenForm(request.POST or None)
    result: TokenTest | None = None
    if form.is_valid():
        with refusals_in(request, form):
            result = examine_token(license, Secret(form.cleaned_data["token"]))
    problems = [str(text) for texts in form.errors.values() for text in texts]
    return render_dialog(
        request,
        "licenses/trusted_identity_test.html",
        form=TokenForm(),
        problems=problems,
        result=result,
        title="Test a token",
        submit="Test",
        back=back,
    )


def _found(
    request: TeamRequest, license_id: uuid.UUID, identity_id: uuid.UUID
) -> tuple[License, TrustedIdentity]:
    license: License = find(licenses_for_team(request.team.pk), license_id)
    return license, find(identities_of_license(license), identity_id)
