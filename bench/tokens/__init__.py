"""Token requests with few licenses and with many."""

from __future__ import annotations
