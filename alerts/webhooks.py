"""Posting alerts as Standard Webhooks, through the address guard.

https://www.standardwebhooks.com: the headers webhook-id, webhook-timestamp and
webhook-signature; the receiver answers 2xx.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import aiohttp
from asgiref.sync import async_to_sync
from django.conf import settings
from standardwebhooks import Webhook as Signer

from alerts.models import Alert, Delivery, Webhook
from alerts.results import Sent
from portal.address_guard import AddressBlocked, AddressGuard

SECONDS = 15
# Standard Webhooks: "410 Gone" means that no more are wanted.
GONE = 410


def payload(alert: Alert) -> str:
    """Return the body that is posted: the same for every attempt and receiver."""
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
    """Return the headers by which a receiver knows that the body is Berth's."""
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        "Content-Type": "application/json",
        "User-Agent": "Berth/0.1",
        "webhook-id": str(alert.pk),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(
            Signer(secret).sign(str(alert.pk), now, body)
            for secret in _secrets(webhook)
        ),
    }


def _secrets(webhook: Webhook) -> list[str]:
    found = [webhook.secret.reveal()]
    if webhook.has_previous_secret:
        found.append(webhook.previous_secret.reveal())
    return found


def post_all(deliveries: Sequence[Delivery]) -> list[tuple[Delivery, Sent]]:
    """Post each delivery once, all at the same time; never raises for a receiver."""
    prepared = []
    for delivery in deliveries:
        webhook = delivery.webhook
        assert webhook is not None  # noqa: S101 -- narrows; see the caller
        body = payload(delivery.alert)
        prepared.append(
            (webhook.url, signed_headers(webhook, delivery.alert, body), body)
        )
    results = _post_prepared(prepared) if prepared else []
    return list(zip(deliveries, results, strict=True))


@async_to_sync
async def _post_prepared(
    prepared: Sequence[tuple[str, dict[str, str], str]],
) -> list[Sent]:
    connector = aiohttp.TCPConnector(
        socket_factory=AddressGuard(settings.BERTH_ALLOWED_PRIVATE_NETWORKS)
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=SECONDS),
    ) as session:
        return await asyncio.gather(*(_post(session, *each) for each in prepared))


async def _post(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], body: str
) -> Sent:
    try:
        async with session.post(
            url, data=body.encode(), headers=headers, allow_redirects=False
        ) as response:
            status = response.status
    except TimeoutError:
        return Sent(ok=False, detail=f"No answer within {SECONDS} seconds.")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Sent(ok=False, detail=_told(error))
    if 200 <= status < 300:
        return Sent(ok=True, detail="Delivered.", http_status=status)
    return Sent(
        ok=False,
        detail=f"The receiver answered {status}.",
        http_status=status,
        is_gone=status == GONE,
    )


def _told(error: Exception) -> str:
    os_error = getattr(error, "os_error", error)
    if isinstance(os_error, AddressBlocked) or "not a public address" in str(error):
        return "The address is not a public one."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "The name does not resolve."
    if isinstance(
        error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError
    ):
        return "The TLS certificate is not valid."
    if isinstance(os_error, ConnectionRefusedError):
        return "The connection was refused."
    return "The connection broke."


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
