"""Runs ``python -m installer``; the wheel also installs it as ``berth-installer``."""

from __future__ import annotations

import sys

from installer.cli import main

if __name__ == "__main__":
    sys.exit(main())
