"""``/v2/_authorize``: what nginx asks before each request to the private registry.

nginx says which request by ``X-Original-Method`` and ``X-Original-URI``, and passes the
client's ``Authorization`` on (deploy/nginx/berth.conf). Whoever asks here directly
learns what their own token may do, and nothing more.
"""

from __future__ import annotations

from edge.http import RegistryError, Request
from edge.registry.authorize import authorize
from edge.registry.route import Wanted, parse_wanted
from edge.services import EdgeServices
from oci.errors import ErrorCode


async def serve_authorize(request: Request, services: EdgeServices) -> None:
    """Answer 200 if a request may go on to the registry.

    Raises:
        RegistryError: it may not. nginx keeps of it that it is not 2xx.
    """
    await authorize(request, services, _wanted(request), counted=True)
    await request.answer(200, [], b"")


async def serve_refusal(request: Request, services: EdgeServices) -> None:
    """Answer a request that was refused, since nginx drops the body of a refusal.

    Raises:
        RegistryError: always: what the client is told.
    """
    await authorize(request, services, _wanted(request), counted=False)
    raise RegistryError(
        503,
        ErrorCode.UNAVAILABLE,
        "This could not be checked a moment ago. Try again.",
        headers=[("Retry-After", "1")],
    )


def _wanted(request: Request) -> Wanted:
    method, uri = request.header("x-original-method"), request.header("x-original-uri")
    return parse_wanted(method, uri)
