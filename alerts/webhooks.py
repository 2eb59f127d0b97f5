"""Posting alerts as Standard Webhooks, through the address guard.

https://www.standardwebhooks.com: the headers webhook-id, webhook-timestamp and
webhook-signature; the receiver answers 2xx.
"""

from __future__ import annotations

import json
import logging
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import aiohttp
from standardwebhooks import Webhook as Signer

from alerts.models import Alert, Delivery, Webhook
from alerts.results import INTERNAL_ERROR, SendResult
from portal.outbound import Failure, failure_of, outbound_session

SECONDS = 15
# Standard Webhooks: "410 Gone" means that no more are wanted.
GONE = 410
_DETAILS = {
    Failure.TIMEOUT: f"No response within {SECONDS} seconds.",
    Failure.ADDRESS_NOT_PUBLIC: "The address is not public.",
    Failure.NAME_NOT_RESOLVED: "The name does not resolve.",
    Failure.BAD_CERTIFICATE: "The TLS certificate is not valid.",
    Failure.NO_TLS: "The server does not speak TLS. Check the port.",
    Failure.REFUSED: "The connection was refused.",
}
logger = logging.getLogger(__name__)


def payload(alert: Alert) -> str:
    """Return the body to post: the same for every attempt and receiver."""
    body = {
        "type": alert.event,
        "timestamp": _rfc3339(alert.created_at),
        "data": {
            "team": alert.team.slug,
            "id": str(alert.subject_id),
            "name": alert.subject_label,
            "message": alert.message,
            **alert.data,
        },
    }
    return json.dumps(body, separators=(",", ":"))


def signed_headers(webhook: Webhook, alert: Alert, body: str) -> dict[str, str]:
    """Return the headers that prove to a receiver that Berth sent the body."""
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        "Content-Type": "application/json",
        "webhook-id": str(alert.pk),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(
            Signer(secret).sign(str(alert.pk), now, body)
            for secret in _secrets(webhook)
        ),
    }


def _secrets(webhook: Webhook) -> list[str]:
    secrets = [webhook.secret.reveal()]
    if webhook.has_previous_secret:
        secrets.append(webhook.previous_secret.reveal())
    return secrets


def webhook_session() -> AbstractAsyncContextManager[aiohttp.ClientSession]:
    """Open a session for :func:`attempt`, for one event loop."""
    return outbound_session(aiohttp.ClientTimeout(total=SECONDS))


async def attempt(
    session: aiohttp.ClientSession, delivery: Delivery, webhook: Webhook
) -> SendResult:
    """Post a delivery once to its webhook; never raises."""
    try:
        body = payload(delivery.alert)
        headers = signed_headers(webhook, delivery.alert, body)
        return await _post(session, webhook.url, headers, body)
    except Exception:  # must not affect other teams' webhooks
        logger.exception("Internal error in a delivery: %s.", delivery.pk)
        return INTERNAL_ERROR


async def _post(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], body: str
) -> SendResult:
    try:
        async with session.post(
            url, data=body.encode(), headers=headers, allow_redirects=False
        ) as response:
            status = response.status
    except (aiohttp.ClientError, OSError, ValueError) as error:
        failure = failure_of(error) or Failure.CONNECTION_BROKE
        detail = _DETAILS.get(failure, "The connection broke.")
        return SendResult(ok=False, detail=detail)
    if 200 <= status < 300:
        return SendResult(ok=True, detail="Delivered.", http_status=status)
    return SendResult(
        ok=False,
        detail=f"The receiver responded with status {status}.",
        http_status=status,
        is_gone=status == GONE,
    )


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
