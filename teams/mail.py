"""Mail to people about teams and about their accounts."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Hashable
from datetime import timedelta
from smtplib import SMTPException
from zoneinfo import ZoneInfo

from django.core.mail import EmailMessage, EmailMultiAlternatives, send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from portal.crypto.keyring import KeyringError
from portal.crypto.secrets import Secret
from portal.errors import TooMany
from portal.limits.waiting import waiting
from portal.wake import Task, wake
from teams.models import Invitation, StoredMail

# A task stops after this time, whatever is left: beat starts the next one.
TASK_SECONDS = 30
# Longer than sending a mail takes: about ten steps of up to EMAIL_TIMEOUT each.
CLAIM = timedelta(minutes=2)
LIFETIME = timedelta(days=1)
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
        logger.warning(
            "invitation %s not mailed: %s", invitation.pk, type(error).__name__
        )
        return False
    return True


def send_or_store(mail: EmailMessage, *, holder: Hashable) -> None:
    """Send a mail now; store it for a worker if that fails or too many wait."""
    try:
        with waiting(holder):
            mail.send()
    except (OSError, SMTPException, TooMany) as error:
        stored = store_mail(mail)
        # Without the error's text, which may contain a link.
        logger.warning("mail %s is sent later: %s", stored, type(error).__name__)


def store_mail(mail: EmailMessage) -> StoredMail:
    """Store a mail in the current transaction; a worker sends it once it commits."""
    message = {
        "subject": mail.subject,
        "body": mail.body,
        "from_email": mail.from_email,
        "to": mail.to,
        "reply_to": mail.reply_to,
        "headers": mail.extra_headers,
    }
    if isinstance(mail, EmailMultiAlternatives):
        message["alternatives"] = [list(each) for each in mail.alternatives]
    stored = StoredMail.objects.create(message=Secret(json.dumps(message)))
    wake(Task.SEND_STORED_MAILS)
    return stored


def send_stored_mails() -> None:
    """Send stored mails that are due until none is left or time is up."""
    deadline = time.monotonic() + TASK_SECONDS
    while time.monotonic() < deadline and (stored := _claim()):
        try:
            _message(stored).send()
        except (OSError, SMTPException, KeyringError) as error:
            logger.warning(
                "mail %s could not be sent: %s", stored, type(error).__name__
            )
            _give_up_if_old(stored)
        else:
            stored.delete()


@transaction.atomic
def _claim() -> StoredMail | None:
    """Return a due mail, which is due again if it is not sent.

    Each time it waits for as long as it has been stored.
    """
    due = StoredMail.objects.filter(due_at__lte=timezone.now()).order_by("due_at")
    stored = due.select_for_update(skip_locked=True).first()
    if stored is not None:
        age = timezone.now() - stored.created_at
        stored.due_at = timezone.now() + max(CLAIM, age)
        stored.save(update_fields=["due_at"])
    return stored


def _message(stored: StoredMail) -> EmailMessage:
    # The same ID each time, by which a mail server may recognize it.
    named = {"Message-ID": f"<{stored.pk}@berth>"}
    message = json.loads(stored.message.reveal())
    message["headers"] = {**message["headers"], **named}
    return EmailMultiAlternatives(**message)


def _give_up_if_old(stored: StoredMail) -> None:
    if timezone.now() - stored.created_at > LIFETIME:
        logger.error("mail %s was not sent within a day and is deleted", stored)
        stored.delete()
