"""Runs several management commands in one process, because Django starts slowly."""

from __future__ import annotations

import json
import sys

from django.core.management import execute_from_command_line

from portal.database.deadlines import waiting_as_long_as_it_takes

if __name__ == "__main__":
    with waiting_as_long_as_it_takes():
        for words in json.loads(sys.argv[1]):
            execute_from_command_line(["manage.py", *words])
