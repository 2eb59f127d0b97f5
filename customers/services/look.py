"""How a team's customers see it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.services import record
from audit.tags import EventTag
from customers.logo import NotALogo, read_logo
from customers.models import VendorLook
from teams.actors import Actor
from teams.locks import lock_team
from teams.models import Team
from teams.permissions import Permission
from teams.services import apply_changes


@transaction.atomic
def change_look(
    *, actor: Actor, team: Team, changes: Mapping[str, object]
) -> VendorLook:
    """Change name, color, or where customers find help and answer mails to.

    Raises:
        ValidationError: a value is invalid.
    """
    actor.require(Permission.TEAM_MANAGE, team_id=team.pk)
    look = _locked_look(team)
    changed = apply_changes(look, changes)
    if changed:
        new = {name: changes[name] for name in changed}
        record(actor, EventTag.LOOK_CHANGED, team, team.pk, **new)
    return look


@transaction.atomic
def change_logo(*, actor: Actor, team: Team, content: bytes | None) -> VendorLook:
    """Replace the logo; None removes it.

    Raises:
        ValidationError: the bytes are no picture that can be a logo.
    """
    actor.require(Permission.TEAM_MANAGE, team_id=team.pk)
    look = _locked_look(team)
    try:
        kind = read_logo(content).content_type if content is not None else ""
    except NotALogo as error:
        raise ValidationError({"logo": [str(error)]}) from error
    digest = hashlib.sha256(content).hexdigest() if content is not None else ""
    if digest != look.logo_digest:
        look.logo, look.logo_type, look.logo_digest = content, kind, digest
        look.save(update_fields=["logo", "logo_type", "logo_digest"])
        record(actor, EventTag.LOOK_CHANGED, team, team.pk, logo=digest)
    return look


def _locked_look(team: Team) -> VendorLook:
    lock_team(team.pk)
    VendorLook.objects.get_or_create(team=team)
    look = VendorLook.objects.for_team(team.pk).select_for_update().get()
    look.team = team
    return look
