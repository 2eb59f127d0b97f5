"""Servers, load, clocks and reports that all measurements share."""

from __future__ import annotations
