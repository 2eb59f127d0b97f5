from __future__ import annotations

import logging
import re

_SECRETS = re.compile(
    r"berth_(?:user|sa|team|pull)_[0-9A-Za-z]{12}_[0-9A-Za-z]+"
    r"|(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
)
# Links from mails; in a query, a slash is %2F and a colon %3A.
_LINKS = re.compile(
    r"((?:/|%2F)invitations(?:/|%2F))[A-Z0-9_-]{43}"
    r"|((?:/|%2F)password(?:/|%2F)reset(?:/|%2F)key(?:/|%2F))[A-Z0-9]+-[A-Z0-9_-]+"
    r"|((?:/|%2F)confirm-email(?:/|%2F))(?:[A-Z0-9_:-]|%3A)+",
    re.IGNORECASE,
)


class RedactingFormatter(logging.Formatter):
    """Redacts what looks like a secret, in case one is logged despite the rules.

    A formatter, not a filter, so that it also covers tracebacks.
    """

    def format(self, record: logging.LogRecord) -> str:
        text = _SECRETS.sub("[redacted]", super().format(record))
        return _LINKS.sub(r"\1\2\3[redacted]", text)
