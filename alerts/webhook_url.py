"""Where a webhook may be sent to."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit


class MalformedUrl(ValueError):  # noqa: N818 -- states the fact
    """The text is no address for a webhook; the message says why."""


def parse_webhook_url(text: str, *, plain_hosts: Collection[str] = ()) -> str:
    """Return the address if a webhook can be sent there.

    ``plain_hosts`` are the ``host[:port]`` that plain HTTP is spoken to. Which
    addresses are reached is for the address guard to say, at the connection.

    Raises:
        MalformedUrl: it is not absolute, not https, or holds a login.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise MalformedUrl("Write an address such as https://example.com/hook.") from (
            error
        )
    if not text.isprintable() or " " in text or not parts.hostname or port == 0:
        raise MalformedUrl("Write an address such as https://example.com/hook.")
    is_plain = parts.scheme == "http" and parts.netloc in plain_hosts
    if parts.scheme != "https" and not is_plain:
        raise MalformedUrl("The address begins with https://, so that nobody reads it.")
    if parts.username is not None or parts.password is not None:
        raise MalformedUrl(
            "Leave the login out of the address: check the signature instead."
        )
    return text
