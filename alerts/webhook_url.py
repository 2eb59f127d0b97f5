"""Validates the URL of a webhook."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

_EXAMPLE = "Enter a URL such as https://example.com/hook."


class MalformedUrl(ValueError):  # noqa: N818 -- states the fact
    """The text is not a valid webhook URL; the message says why."""


def parse_webhook_url(text: str, *, plain_hosts: Collection[str] = ()) -> str:
    """Return the URL if a webhook can be sent there.

    ``plain_hosts`` are the ``host[:port]`` to which plain HTTP is allowed. The address
    guard decides at connection time which addresses are reachable.

    Raises:
        MalformedUrl: it is not absolute, not https, or contains credentials.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise MalformedUrl(_EXAMPLE) from error
    if not text.isprintable() or " " in text or not parts.hostname or port == 0:
        raise MalformedUrl(_EXAMPLE)
    is_plain = parts.scheme == "http" and parts.netloc in plain_hosts
    if parts.scheme != "https" and not is_plain:
        raise MalformedUrl("The URL must begin with https://.")
    if parts.username is not None or parts.password is not None:
        raise MalformedUrl("Omit the credentials: verify the signature instead.")
    return text
