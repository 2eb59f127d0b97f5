from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest

from audit.services import record
from audit.tags import EventTag
from teams.actors import Origin, member_actor
from teams.models import User
from teams.selectors import memberships_of_user


@transaction.atomic
def record_on_account(
    request: HttpRequest, user: User, tag: EventTag, /, **data: str
) -> None:
    """Record a change to a person's account in the audit log of all their teams."""
    for membership in memberships_of_user(user):
        actor = member_actor(membership).at_origin(Origin.of(request))
        record(actor, tag, membership.user, membership.team_id, **data)
