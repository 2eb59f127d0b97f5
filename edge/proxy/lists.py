"""Lists of tags and referrers, as the edge's own: their name, and where they go on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import aiohttp

from edge.http import Headers
from edge.proxy.route import Kind, Route

# RFC 8288, section 3; no registry quotes a comma in a parameter.
_LINK = re.compile(r"<([^<>]*)>([^<>,]*)")
_NEXT = re.compile(r";\s*rel=(?:next|\"next\")\s*(?:;|$)")


def next_page(response: aiohttp.ClientResponse, route: Route) -> Headers:
    """Return the link to the next page at the edge's own address, if there is one.

    Only the query is the upstream's (distribution-spec, "Listing Tags" and "Listing
    Referrers"): its host, and a path in front of ``/v2/``, are not the edge's.
    """
    if route.kind not in {Kind.TAGS, Kind.REFERRERS}:
        return []
    for query in _next_queries(response, f"/{route.kind}/{route.reference}"):
        own = route.upstream_path(str(route.name))
        return [("Link", f'<{own}?{query}>; rel="next"')]
    return []


def _next_queries(response: aiohttp.ClientResponse, ending: str) -> Iterator[str]:
    for header in response.headers.getall("Link", ()):
        if not (header.isascii() and header.isprintable()):
            continue
        for target, parameters in _LINK.findall(header):
            if not _NEXT.search(parameters):
                continue
            try:
                address = urlsplit(urljoin(str(response.url), target))
            except ValueError:
                continue
            if address.query and address.path.endswith(ending):
                yield address.query


def renamed(body: bytes, route: Route) -> bytes:
    """Return a list of tags under the name that was asked for.

    Anything else stays what it is.
    """
    try:
        tags = json.loads(body)["tags"]
    except (ValueError, RecursionError, TypeError, LookupError):
        return body
    # Numbers would grow: 1e15 is written with all its zeros.
    if not (tags is None or _are_texts(tags)):
        return body
    content = {"name": str(route.name), "tags": tags}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")


def _are_texts(tags: object) -> bool:
    return isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)
