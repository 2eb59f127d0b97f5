"""Sends alerts by e-mail."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import Self

from django.core.mail import EmailMessage, get_connection
from django.template.loader import render_to_string

from alerts.events import DESCRIPTIONS, Event
from alerts.models import Delivery
from alerts.results import INTERNAL_ERROR, SendResult
from teams.models import User

UNAVAILABLE = SendResult(ok=False, detail="The mail server could not be reached.")
logger = logging.getLogger(__name__)


class MailServerUnavailable(Exception):  # noqa: N818 -- states the fact
    """There is no connection to the mail server, so no mail was sent."""


class Mailer:
    """Sends mails one by one over one connection, opened for the first."""

    def __init__(self) -> None:
        self._server = get_connection()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def send(self, delivery: Delivery, user: User) -> SendResult:
        """Mail one delivery to its user; its own errors become the result.

        Raises:
            MailServerUnavailable: the mail was not sent.
        """
        try:
            self._server.open()
        except Exception as error:  # any error here affects all mails
            logger.exception("A mail could not be sent: no connection to the server.")
            raise MailServerUnavailable from error
        try:
            self._server.send_messages([message(delivery, user)])
        except (SMTPException, OSError):
            logger.exception("A mail could not be sent.")
            sent = SendResult(ok=False, detail="The mail server rejected the mail.")
        except Exception:  # must not affect mails of other teams
            logger.exception("Internal error in a delivery: %s.", delivery.pk)
            sent = INTERNAL_ERROR
        else:
            return SendResult(ok=True, detail="Accepted by the mail server.")
        # The connection may be unusable: the next mail opens another.
        self._close()
        return sent

    def _close(self) -> None:
        try:
            self._server.close()
        except (SMTPException, OSError):
            # This does not affect the mails that were already accepted.
            logger.info("The mail server closed the connection with an error.")


def message(delivery: Delivery, user: User) -> EmailMessage:
    """Return the mail; a repeated delivery has the same Message-ID."""
    alert = delivery.alert
    subject = f"{DESCRIPTIONS[Event(alert.event)]}: {alert.subject_label}"
    body = render_to_string("alerts/mail.txt", {"alert": alert, "team": alert.team})
    return EmailMessage(
        subject=" ".join(subject.split()),
        body=body,
        to=[user.email],
        headers={"Message-ID": f"<{delivery.pk}@berth>"},
    )
