"""Alerts as mails."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import Self

from django.core.mail import EmailMessage, get_connection
from django.template.loader import render_to_string

from alerts.events import DESCRIPTIONS, Event
from alerts.models import Delivery
from alerts.results import FAULT, Sent

AWAY = Sent(ok=False, detail="The mail server could not be reached.")
logger = logging.getLogger(__name__)


class MailServerAway(Exception):  # noqa: N818 -- states the fact
    """There is no connection to the mail server, so that no mail can be tried."""


class Mailer:
    """Sends mails one by one over one connection, which the first one opens."""

    def __init__(self) -> None:
        self._server = get_connection()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def send(self, delivery: Delivery) -> Sent:
        """Send one mail; never raises for its own trouble.

        Raises:
            MailServerAway: it was not tried.
        """
        try:
            self._server.open()
        except Exception as error:  # whatever it is, it is the next mail's trouble too
            logger.exception("A mail could not be sent: the mail server is away.")
            raise MailServerAway from error
        try:
            self._server.send_messages([message(delivery)])
        except (SMTPException, OSError):
            logger.exception("A mail could not be sent.")
            sent = Sent(ok=False, detail="The mail server did not take it.")
        except Exception:  # its trouble must not be that of other teams' mails
            logger.exception("A delivery failed by itself: %s.", delivery.pk)
            sent = FAULT
        else:
            return Sent(ok=True, detail="Handed to the mail server.")
        # The connection may be of no more use: the next mail opens another.
        self._close()
        return sent

    def _close(self) -> None:
        try:
            self._server.close()
        except (SMTPException, OSError):
            # What it took before, it has taken.
            logger.info("The mail server did not end the connection well.")


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
