"""``/v2/_pull``: what nginx asks before it serves files of the disk cache itself.

nginx names the repository in ``X-Berth-Name``, passes the client's ``Authorization``
and address on, and remembers an answer of 200 to them for 0.8 seconds (deploy/nginx).
After any other answer it passes the client's request to the edge, which decides again,
counts and says why. Anybody but a proxy of BERTH_TRUSTED_PROXIES gets 404.
"""

from __future__ import annotations

from edge.cache.place import place_of
from edge.facts import in_time
from edge.http import RegistryError, Request
from edge.proxy.access import decide
from edge.pull_counter import pull_of_log
from edge.services import EdgeServices
from oci.reference import MalformedName
from registries.decision.proxied_name import parse_proxied_name
from registries.decision.pull import AllowedPull

# nginx would add the challenge of a 401 to the edge's own.
_REFUSED = 403


async def serve_pull_question(request: Request, services: EdgeServices) -> None:
    """Answer 200 and where the objects of an allowed pull are, or 403.

    Raises:
        django.db.Error: the database does not answer; nothing is allowed then.
        ShareExceeded: the subject waits for too many other decisions.
    """
    try:
        name = parse_proxied_name(request.header("x-berth-name"))
        async with in_time():
            decision = await decide(request, services, name, now=True)
    except (MalformedName, RegistryError):
        await request.answer(_REFUSED, [], b"")
        return
    if isinstance(decision, AllowedPull):
        place = place_of(decision)
        headers = [
            ("X-Berth-Place", str(place)),
            ("X-Berth-Pull", pull_of_log(decision)),
        ]
        await request.answer(200, headers, b"")
    else:
        await request.answer(_REFUSED, [], b"")
