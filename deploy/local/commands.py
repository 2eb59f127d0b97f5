"""Runs several management commands in one process, because Django starts slowly."""

from __future__ import annotations

import json
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    for words in json.loads(sys.argv[1]):
        execute_from_command_line(["manage.py", *words])
