"""Which members get alerts by mail."""

from __future__ import annotations

import pytest
from django.core import mail

from alerts.models import Delivery
from alerts.services import subscribe
from portal.errors import NotAllowed
from teams.actors import member_actor
from teams.models import Membership, Team
from tests.support.rows.alerting import alert, deliver
from tests.support.rows.factories import MembershipFactory


def mailed(team: Team, key: str) -> set[str]:
    """Return who gets an alert by mail."""
    mail.outbox.clear()
    alert(team, key=key)
    deliver()
    return {address for message in mail.outbox for address in message.to}


def test_a_subscription_is_for_its_member_only(
    team: Team, owner: Membership, support: Membership, viewer: Membership
) -> None:
    admin = MembershipFactory(team=team, role="admin")
    unasked = {owner.user.email, admin.user.email}
    assert mailed(team, "1") == unasked

    subscribe(
        actor=member_actor(support), membership=support, events=["license.revoked"]
    )
    assert mailed(team, "2") == unasked | {support.user.email}

    subscribe(actor=member_actor(owner), membership=owner, events=["license.expired"])
    assert mailed(team, "3") == {admin.user.email, support.user.email}

    subscribe(actor=member_actor(admin), membership=admin, events=[])
    assert mailed(team, "4") == {support.user.email}


def test_a_mail_says_what_happened_and_names_its_delivery(
    team: Team, owner: Membership
) -> None:
    alert(team)
    deliver()

    (sent,) = mail.outbox
    assert sent.subject == "A license was revoked: Acme"
    assert "It was revoked." in sent.body
    delivery = Delivery.objects.get()
    assert sent.extra_headers["Message-ID"] == f"<{delivery.pk}@berth>"


def test_people_choose_for_themselves_only(
    team: Team, support: Membership, member: Membership
) -> None:
    with pytest.raises(NotAllowed):
        subscribe(actor=member_actor(support), membership=member, events=[])
