"""Which mails contacts get: what their vendor sends, and what they do not want."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from audit.services import record
from audit.tags import EventTag
from customers.models import Contact, MailChoice, Unsubscription
from customers.selectors import mailed_kinds
from licenses.models import NoticeKind
from portal.errors import Invalid
from teams.actors import Actor, ActorKind, Origin, customer_actor
from teams.locks import lock_team
from teams.models import Team
from teams.permissions import Permission


@transaction.atomic
def choose_mails(*, actor: Actor, team: Team, kinds: Collection[str]) -> None:
    """Set which kinds of mail the contacts of a team's customers get."""
    actor.require(Permission.TEAM_MANAGE, team_id=team.pk)
    unknown = sorted(set(kinds) - set(NoticeKind.values))
    if unknown:
        raise Invalid({"kinds": [f"Unknown kind of mail: {unknown[0]!r}."]})
    chosen = sorted(set(kinds))
    lock_team(team.pk)
    if chosen != mailed_kinds(team):
        MailChoice.objects.update_or_create(team=team, defaults={"kinds": chosen})
        record(actor, EventTag.CONTACT_MAILS_CHOSEN, team, team.pk, kinds=chosen)


@transaction.atomic
def unsubscribe(contact: Contact, kind: NoticeKind, origin: Origin) -> None:
    """Send a contact no more mails of a kind; doing it again is a no-op."""
    _, is_new = Unsubscription.objects.get_or_create(
        team_id=contact.team_id, contact=contact, kind=kind
    )
    if is_new:
        _record(EventTag.CONTACT_UNSUBSCRIBED, contact, kind, origin)


@transaction.atomic
def subscribe_again(contact: Contact, kind: NoticeKind, origin: Origin) -> None:
    """Undo :func:`unsubscribe`; doing it again is a no-op."""
    stopped = Unsubscription.objects.for_team(contact.team_id)
    if stopped.filter(contact=contact, kind=kind).delete()[0]:
        _record(EventTag.CONTACT_SUBSCRIBED, contact, kind, origin)


@transaction.atomic
def choose_own_mails(
    *, contact: Contact, kinds: Collection[str], origin: Origin
) -> None:
    """Send a contact these kinds of mail, and none of the others that the team mails.

    What the contact chose for kinds that the team does not mail now is kept.

    Raises:
        Invalid: the team does not mail one of the kinds.
    """
    offered = mailed_kinds(contact.team)
    if not set(kinds) <= set(offered):
        raise Invalid({"kinds": ["One of these e-mails is no longer sent."]})
    for kind in map(NoticeKind, offered):
        change = subscribe_again if kind in kinds else unsubscribe
        change(contact, kind, origin)


def _record(tag: EventTag, contact: Contact, kind: NoticeKind, origin: Origin) -> None:
    # The contact did this on their page, or whoever has the mail without signing in.
    actor = customer_actor(
        kind=ActorKind.CONTACT,
        id=contact.pk,
        label=contact.email,
        team_id=contact.team_id,
        customer_id=contact.customer_id,
    )
    record(
        actor.at_origin(origin),
        tag,
        contact.customer,
        contact=contact.email,
        kind=kind.value,
    )
