from __future__ import annotations

import logging
import re
from typing import Any

_SECRETS = re.compile(
    r"berth_(?:user|sa|team|pull)_[0-9A-Za-z]{12}_[0-9A-Za-z]+"
    r"|(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
)
# Links from mails; in a query, a slash is %2F and a colon %3A.
_LINKS = re.compile(
    r"((?:/|%2F)(?:invitations|c(?:/|%2F)links)(?:/|%2F))[A-Z0-9_-]{43}"
    r"|((?:/|%2F)c(?:/|%2F)unsubscribe(?:/|%2F))[A-Z0-9_.-]+"
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
        return _LINKS.sub(r"\1\2\3\4[redacted]", text)


def logging_settings(level: str) -> dict[str, Any]:
    """Return the settings of all processes: lines on stderr, redacted."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": "portal.http.log_redaction.RedactingFormatter",
                "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
            },
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "line",
            },
        },
        # At lower levels, Amazon's library logs keys and passwords, and the pool each
        # use.
        "loggers": {
            name: {"level": "WARNING"} for name in ("botocore", "psycopg.pool")
        },
        "root": {"handlers": ["stderr"], "level": level},
    }
