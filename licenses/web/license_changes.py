"""Pages that change a license: edit, revoke, reinstate, delete, restore."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from licenses.history import last_pull
from licenses.models import License
from licenses.selectors import (
    channels_for_application,
    is_kept_for_the_record,
    license_fields_for_application,
    licenses_for_team,
)
from licenses.services import (
    change_license,
    delete_license,
    reinstate_license,
    restore_license,
    revoke_license,
)
from licenses.web.license_forms import (
    LicenseForm,
    channels_shown,
    license_changes,
    shown_values,
)
from licenses.web.licenses import license_address
from portal.errors import Conflict
from portal.http.dialogs import confirm, edit_dialog
from portal.http.pages import go_to
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url

REASONS = (
    "Unpaid",
    "Contract ended",
    "License ID leaked",
    "Replaced by another license",
    "Issued by mistake",
)


class RevokeForm(forms.Form):
    reason = forms.CharField(
        max_length=1000,
        widget=forms.TextInput(attrs={"list": "reasons", "autocomplete": "off"}),
        help_text="Visible to your team on the license page and in the audit log.",
        error_messages={"required": "Enter a reason."},
    )


@team_page(Permission.LICENSE_CHANGE)
def edit_license(request: TeamRequest, license_id: uuid.UUID) -> HttpResponse:
    """Change a license's channel, type, expiry or fields."""
    license = find(licenses_for_team(request.team.pk), license_id)
    fields = list(license_fields_for_application(license.application).order_by("name"))

    def save(row: License, cleaned: dict[str, Any]) -> object:
        changes = license_changes(cleaned, fields, row)
        return change_license(actor=request.actor, license=row, changes=changes)

    return edit_dialog(
        request,
        LicenseForm,
        license,
        values=lambda row: shown_values(row, fields),
        save=save,
        options={
            "channels": channels_shown(channels_for_application(license.application)),
            "license_fields": fields,
            "stored": license,
        },
        template="licenses/license_edit.html",
        title=f"Edit the license of {license.customer.name}",
        text="A new expiry applies to pulls within one second.",
        done="The license is saved.",
        back=license_address(request, license),
    )


@team_page(Permission.LICENSE_REVOKE)
def revoke(request: TeamRequest, license_id: uuid.UUID) -> HttpResponse:
    """Revoke a license, after showing what that stops and asking for a reason."""
    license = find(licenses_for_team(request.team.pk), license_id)
    if license.revoked_at is not None:
        messages.info(request, "The license has already been revoked.")
        return go_to(request, license_address(request, license))
    form = RevokeForm(request.POST or None)
    return confirm(
        request,
        lambda: revoke_license(
            actor=request.actor, license=license, reason=form.cleaned_data["reason"]
        ),
        form=form,
        names={"revoke_reason": "reason"},
        title=f"Revoke the license of {license.customer.name}?",
        details="licenses/license_revoke.html",
        submit="Revoke",
        done="The license is revoked and can no longer pull.",
        back=license_address(request, license),
        license=license,
        reasons=REASONS,
        last_pull=last_pull(license),
    )


@team_page(Permission.LICENSE_REVOKE)
def reinstate(request: TeamRequest, license_id: uuid.UUID) -> HttpResponse:
    """Undo a revocation, after showing what that allows."""
    license = find(licenses_for_team(request.team.pk), license_id)
    return confirm(
        request,
        lambda: reinstate_license(actor=request.actor, license=license),
        title=f"Reinstate the license of {license.customer.name}?",
        details="licenses/license_reinstate.html",
        submit="Reinstate",
        tone="primary",
        done="The license is reinstated.",
        back=license_address(request, license),
        license=license,
    )


@team_page(Permission.LICENSE_REVOKE)
def delete(request: TeamRequest, license_id: uuid.UUID) -> HttpResponse:
    """Delete a license, or archive it, after showing which of them and why."""
    license = find(licenses_for_team(request.team.pk), license_id)
    is_kept = is_kept_for_the_record(license)
    return confirm(
        request,
        lambda: delete_license(actor=request.actor, license=license),
        title=f"{'Archive' if is_kept else 'Delete'} the license of "
        f"{license.customer.name}?",
        details="licenses/license_delete.html",
        submit="Archive" if is_kept else "Delete",
        done=f"The license is {'archived' if is_kept else 'deleted'}.",
        back=license_address(request, license),
        after=team_url(request, "licenses"),
        license=license,
        is_kept=is_kept,
    )


@require_POST
@team_page(Permission.LICENSE_REVOKE)
def restore(request: TeamRequest, license_id: uuid.UUID) -> HttpResponse:
    """Restore an archived license, which stays revoked."""
    license = find(licenses_for_team(request.team.pk), license_id)
    try:
        restore_license(actor=request.actor, license=license)
        messages.success(request, "The license is restored. It is still revoked.")
    except Conflict as error:
        messages.error(request, error.message)
    return go_to(request, license_address(request, license))
