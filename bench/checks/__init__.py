"""Credential checks: choosing what is due, and checking it."""

from __future__ import annotations
