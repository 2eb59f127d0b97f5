"""Portal and edge on one port, for the demo.

Registry clients (``/v2/``) reach the edge; everything else is the WSGI portal. In
production they are separate processes: ``edge.app:app`` and ``portal.wsgi``.
"""

from __future__ import annotations

import os
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from a2wsgi import WSGIMiddleware

from edge.app import app as edge
from edge.asgi_types import ASGIApp, Receive, Scope, Send
from portal.wsgi import application as portal_wsgi

portal = cast(ASGIApp, WSGIMiddleware(cast(Any, portal_wsgi), workers=8))


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Pass each request to edge or portal."""
    path = scope.get("path", "")
    if scope["type"] == "lifespan" or path == "/v2" or path.startswith("/v2/"):
        await edge(scope, receive, send)
    else:
        await portal(scope, receive, send)
