from __future__ import annotations

import logging
import re

_SECRETS = re.compile(
    r"berth_(?:user|sa|team)_[0-9A-Za-z]{12}_[0-9A-Za-z]+"
    r"|(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
    r"|(?<=/invitations/)[A-Za-z0-9_-]{43}"
)


class RedactingFormatter(logging.Formatter):
    """A net under the rule that no secret is logged: blots out what looks like one.

    In tracebacks too, which is why it is a formatter and no filter.
    """

    def format(self, record: logging.LogRecord) -> str:
        return _SECRETS.sub("[redacted]", super().format(record))
