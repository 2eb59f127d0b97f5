"""Mail to people about teams."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from zoneinfo import ZoneInfo

from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import timezone

from portal.errors import TooMany
from portal.limits.waiting import waiting
from teams.models import Invitation

logger = logging.getLogger(__name__)


def send_invitation(invitation: Invitation, *, link: str) -> bool:
    """Mail the link to join; return whether the mail server accepted it.

    Call this after the commit, because a mail cannot be undone.
    """
    context = {"invitation": invitation, "team": invitation.team, "link": link}
    with timezone.override(ZoneInfo(invitation.team.time_zone)):
        subject = render_to_string("teams/mail/invitation_subject.txt", context)
        text = render_to_string("teams/mail/invitation.txt", context)
    try:
        with waiting(invitation.team_id):
            send_mail(" ".join(subject.split()), text, None, [invitation.email])
    except (OSError, SMTPException, TooMany) as error:
        # Without the error's text, which may contain the link.
        logger.warning("invitation %s not mailed: %r", invitation.pk, error)
        return False
    return True
