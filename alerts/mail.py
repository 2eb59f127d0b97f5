"""Alerts as mails."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from smtplib import SMTPException

from django.core.mail import EmailMessage, get_connection
from django.template.loader import render_to_string

from alerts.events import DESCRIPTIONS, Event
from alerts.models import Delivery
from alerts.results import Sent

logger = logging.getLogger(__name__)


def send_mails(deliveries: Sequence[Delivery]) -> Iterator[tuple[Delivery, Sent]]:
    """Send each delivery as a mail, over one connection."""
    if not deliveries:
        return
    mailer = get_connection()
    for delivery in deliveries:
        try:
            mailer.send_messages([message(delivery)])
            yield delivery, Sent(ok=True, detail="Handed to the mail server.")
        except (SMTPException, OSError):
            logger.exception("A mail could not be sent.")
            yield delivery, Sent(ok=False, detail="The mail server did not take it.")


def message(delivery: Delivery) -> EmailMessage:
    """Return the mail; a second one of the same delivery has the same Message-ID."""
    assert delivery.user is not None  # noqa: S101 -- narrows; see the caller
    alert = delivery.alert
    subject = f"{DESCRIPTIONS[Event(alert.event)]}: {alert.subject_label}"
    body = render_to_string(
        "alerts/mail.txt", {"alert": alert, "team": alert.team, "user": delivery.user}
    )
    return EmailMessage(
        subject=" ".join(subject.split()),
        body=body,
        to=[delivery.user.email],
        headers={"Message-ID": f"<{delivery.pk}@berth>"},
    )
