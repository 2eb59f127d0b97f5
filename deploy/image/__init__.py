"""Builds and tries the container image."""

from __future__ import annotations
