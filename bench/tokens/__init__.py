"""Token requests at few and at many licenses."""

from __future__ import annotations
