"""Credential checks: claiming due registries, and checking them."""

from __future__ import annotations
