"""What every page and API view shares: errors, pages of lists, parsers, middleware."""

from __future__ import annotations
