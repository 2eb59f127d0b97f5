"""Pulls, tokens and decisions: what ``make bench`` measures."""

from __future__ import annotations
