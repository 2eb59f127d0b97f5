"""What pages and API views of all rooms share: errors, forms, lists, middleware."""

from __future__ import annotations
