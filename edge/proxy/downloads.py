"""How many blobs are streamed, to one login and to all.

Behind a reverse proxy, all clients share the connections of the edge: downloads leave
some of them to all other requests, and those of one login leave some to other logins.
"""

from __future__ import annotations

from django.conf import settings

from edge.connections import most_connections
from portal.limits.fair_share import FairShare

_total = min(settings.BERTH_EDGE_DOWNLOADS, most_connections() * 3 // 4)
DOWNLOADS = FairShare(
    "edge-downloads",
    total=_total,
    each=min(settings.BERTH_EDGE_DOWNLOADS_PER_LOGIN, _total * 2 // 3),
)
