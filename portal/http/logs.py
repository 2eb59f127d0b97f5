from __future__ import annotations

import logging
import re

_SECRETS = re.compile(
    r"berth_(?:user|sa|team)_[0-9A-Za-z]{12}_[0-9A-Za-z]+"
    r"|(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
)


class RedactSecrets(logging.Filter):
    """A net under the rule that no secret is logged: blots out what looks like one."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        redacted = _SECRETS.sub("[redacted]", message)
        if redacted != message:
            record.msg, record.args = redacted, None
        return True
