"""Berth's settings, but a mail server that hangs delays tests less."""

from __future__ import annotations

from portal.settings import *  # noqa: F403

EMAIL_TIMEOUT = 4
