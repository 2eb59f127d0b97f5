"""Starts the servers that Berth needs on loopback, for demo, tests and measurements.

Nothing here is for production, where DATABASE_URL and REDIS_URL name real servers.
"""

from __future__ import annotations
