"""Encryption at rest: keyrings, secret values, and the model field that uses them."""

from __future__ import annotations
