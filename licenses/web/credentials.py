"""Dialogs of a license's pull credentials, and of replacing its ID."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse

from licenses.models import License, PullCredential
from licenses.selectors import (
    licenses_for_team,
    pull_credentials_of_license,
    secret_before,
)
from licenses.services import (
    change_pull_credential,
    create_pull_credential,
    replace_license_id,
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
from licenses.web.licenses import license_address
from portal.crypto.secrets import Secret
from portal.http.dialogs import confirm, edit_dialog, render_dialog
from portal.http.forms import refusals_in
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.once import once


@team_page(Permission.CREDENTIAL_MANAGE)
def add_credential(request: TeamRequest, license_id: uuid.UUID) -> HttpResponse:
    """Create a pull credential, and show its text once."""
    license = find(licenses_for_team(request.team.pk), license_id)
    form = NewCredentialForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            credential, secret = create_pull_credential(
                actor=request.actor, license=license, **form.entered
            )
            submission.address = license_address(request, license)
            return _shown_once(
                request, license, secret, f"Pull credential created: {credential}"
            )
    return render_dialog(
        request,
        form=form,
        title="Create pull credential",
        text=f"It pulls what the license of {license.customer.name} does.",
        submit="Create pull credential",
        back=license_address(request, license),
    )


@team_page(Permission.CREDENTIAL_MANAGE)
def edit_credential(
    request: TeamRequest, license_id: uuid.UUID, credential_id: uuid.UUID
) -> HttpResponse:
    """Change a pull credential's name, expiry and networks."""
    license, credential = _found(request, license_id, credential_id)

    def save(row: PullCredential, changes: dict[str, Any]) -> object:
        changes["expires_at"] = kept_expiry(row, changes["expires_at"])
        return change_pull_credential(
            actor=request.actor, credential=row, changes=changes
        )

    return edit_dialog(
        request,
        CredentialForm,
        credential,
        values=form_values,
        save=save,
        title=f"Edit {credential.name}",
        text="Pulls follow within one second.",
        done=f"{credential.name} is saved.",
        back=license_address(request, license),
    )


@team_page(Permission.CREDENTIAL_MANAGE)
def rotate_credential(
    request: TeamRequest, license_id: uuid.UUID, credential_id: uuid.UUID
) -> HttpResponse:
    """Make a new secret, and show it once; the old one goes on for a while.

    While the secret before still works, say so instead, and offer to end it.
    """
    license, credential = _found(request, license_id, credential_id)
    form = ReplaceForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            _, secret = rotate_pull_credential(
                actor=request.actor,
                credential=credential,
                old_ends_at=form.chosen_end,
            )
            submission.address = license_address(request, license)
            return _shown_once(
                request, license, secret, f"New secret of {credential.name}"
            )
    if before := secret_before(credential):
        return render_dialog(
            request,
            "licenses/pull_credential_rotated.html",
            title=f"{credential.name} cannot be rotated yet",
            back=license_address(request, license),
            credential=credential,
            before=before,
            end=team_url(
                request,
                "licenses-credentials-revoke",
                license_id=license.pk,
                credential_id=before.pk,
            ),
        )
    return render_dialog(
        request,
        form=form,
        title=f"Rotate {credential.name}?",
        details="licenses/pull_credential_rotate.html",
        submit="Rotate",
        back=license_address(request, license),
        credential=credential,
    )


@team_page(Permission.CREDENTIAL_MANAGE)
def revoke_credential(
    request: TeamRequest, license_id: uuid.UUID, credential_id: uuid.UUID
) -> HttpResponse:
    """Revoke a pull credential, after showing what stops with it."""
    license, credential = _found(request, license_id, credential_id)
    return confirm(
        request,
        lambda: revoke_pull_credential(actor=request.actor, credential=credential),
        details="licenses/pull_credential_revoke.html",
        back=license_address(request, license),
        credential=credential,
        **words_of_revoking(credential),
    )


@team_page(Permission.CREDENTIAL_MANAGE)
def replace_id(request: TeamRequest, license_id: uuid.UUID) -> HttpResponse:
    """Give a license another ID, and show it once; license files follow."""
    request.actor.require(Permission.LICENSE_REVEAL, team_id=request.team.pk)
    license: License = find(licenses_for_team(request.team.pk), license_id)
    form = ReplaceForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            secret = replace_license_id(
                actor=request.actor, license=license, old_ends_at=form.chosen_end
            )
            submission.address = license_address(request, license)
            return _shown_once(request, license, secret, "New license ID")
    return render_dialog(
        request,
        form=form,
        title="Replace the license ID?",
        details="licenses/license_replace_id.html",
        submit="Replace",
        back=license_address(request, license),
        license=license,
    )


def _found(
    request: TeamRequest, license_id: uuid.UUID, credential_id: uuid.UUID
) -> tuple[License, PullCredential]:
    license: License = find(licenses_for_team(request.team.pk), license_id)
    return license, find(pull_credentials_of_license(license), credential_id)


def _shown_once(
    request: TeamRequest, license: License, secret: Secret, title: str
) -> HttpResponse:
    return render_dialog(
        request,
        "licenses/pull_credential_created.html",
        title=title,
        secret=secret.reveal(),
        back=license_address(request, license),
    )
