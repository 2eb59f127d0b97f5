"""The servers Berth needs, started on loopback for the demo, the tests and the bench.

None of this is for production: there, DATABASE_URL and REDIS_URL name real servers.
"""

from __future__ import annotations
