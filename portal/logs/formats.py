"""Log lines, redacted: as text for people, or as JSON for programs."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import re
import sys
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from portal.logs.request_id import current_request_id

TEXT, JSON = "text", "json"
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


def redacted(text: str) -> str:
    """Redact what looks like a secret, in case one is logged despite the rules."""
    text = _SECRETS.sub("[redacted]", text)
    return _LINKS.sub(r"\1\2\3\4[redacted]", text)


class TextFormatter(logging.Formatter):
    """Time, level, logger and message; a traceback follows in lines of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        # A formatter, not a filter, so that it also covers tracebacks.
        return redacted(super().format(record))


class JsonFormatter(logging.Formatter):
    """One line for each record, its traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        instant = datetime.fromtimestamp(record.created, UTC)
        fields: dict[str, Any] = {
            "time": instant.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
            "process": record.process,
        }
        if request_id := current_request_id():
            fields["request_id"] = request_id
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = redacted(self.formatException(record.exc_info))
        if record.stack_info:
            fields["stack"] = redacted(self.formatStack(record.stack_info))
        return json.dumps(fields, ensure_ascii=False)


def formatter() -> logging.Formatter:
    """Return the formatter that ``BERTH_LOG_FORMAT`` names.

    From the environment: servers log before there are settings.
    """
    is_json = os.environ.get("BERTH_LOG_FORMAT") == JSON
    return JsonFormatter() if is_json else TextFormatter()


def logging_settings(level: str) -> dict[str, Any]:
    """Return the settings of all processes: lines on stderr."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "portal.logs.formats.formatter"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        },
        "loggers": {
            # At lower levels, Amazon's library logs keys and passwords, and the pool
            # each use.
            "botocore": {"level": "WARNING"},
            "psycopg.pool": {"level": "WARNING"},
            # Servers begin with handlers of their own.
            "uvicorn": {"handlers": [], "propagate": True},
            "_granian": {"handlers": [], "propagate": True},
        },
        "root": {"handlers": ["stderr"], "level": level},
    }


def log_everything(settings: dict[str, Any]) -> None:
    """Log from now on, also warnings and what ends the process."""
    logging.config.dictConfig(settings)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logging.getLogger("portal").critical(
        "The process ends", exc_info=(kind, error, traceback)
    )
