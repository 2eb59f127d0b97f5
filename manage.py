#!/usr/bin/env python
from __future__ import annotations

import os
import sys

# They only read and write files, for instance while an image is built.
WITHOUT_SECRETS = {"collectstatic", "init_secrets"}
PLACEHOLDERS = {
    "SECRET_KEY": "unused",
    "BERTH_ENCRYPTION_KEYS": "unused",
    "BERTH_HMAC_KEYS": "unused",
    "DATABASE_URL": "postgresql://unused@127.0.0.1/unused",
    "REDIS_URL": "redis://127.0.0.1",
}


def _use_placeholders() -> None:
    for name, value in PLACEHOLDERS.items():
        os.environ[name] = value
        # The file may not be there either.
        os.environ.pop(f"{name}_FILE", None)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if WITHOUT_SECRETS.intersection(sys.argv[1:2]):
        _use_placeholders()
    from django.core.management import execute_from_command_line

    from portal.database.deadlines import waiting_as_long_as_it_takes

    with waiting_as_long_as_it_takes():
        execute_from_command_line(sys.argv)
