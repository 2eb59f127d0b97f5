"""Rows in very large numbers."""

from __future__ import annotations
