"""The client's address behind reverse proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(
    peer: str, forwarded_for: str, trusted_proxies: Sequence[IPNetwork]
) -> str | None:
    """Return the client's address.

    ``X-Forwarded-For`` is read from the right, as far as trusted proxies wrote it. The
    client may have sent the rest, so it is ignored.
    """
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    address = _parse(peer)
    while address is not None and hops and _is_trusted(address, trusted_proxies):
        following = _parse(hops.pop())
        if following is None:
            break
        address = following
    return str(address) if address else None


def is_trusted_proxy(peer: str, trusted_proxies: Sequence[IPNetwork]) -> bool:
    address = _parse(peer)
    return address is not None and _is_trusted(address, trusted_proxies)


def neighbourhood(address: str) -> str:
    """Return the unit of rate limits: an address, or an IPv6 client's /64 network.

    A provider's customer usually has a whole /64. Text that is not an address is
    returned unchanged.
    """
    parsed = _parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed or address)


def neighbourhood_of(request: HttpRequest | Request) -> str:
    """Return the unit of rate limits that a request of the portal comes from."""
    return neighbourhood(request.META["BERTH_CLIENT_ADDRESS"] or "unknown")


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address; what a socket for both families calls IPv4-mapped is IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _is_trusted(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    trusted_proxies: Sequence[IPNetwork],
) -> bool:
    return any(address in network for network in trusted_proxies)
