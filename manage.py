#!/usr/bin/env python
from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    from portal.database.deadlines import waiting_as_long_as_it_takes

    with waiting_as_long_as_it_takes():
        execute_from_command_line(sys.argv)
