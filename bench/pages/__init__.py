"""The portal's lists and searches."""

from __future__ import annotations
