"""Blocks outbound connections to addresses that are not on the public Internet.

The guard checks the very address that a socket is opened to, so a name that resolves
differently the second time (DNS rebinding) gains nothing, and neither do IP literals
in any spelling.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
import weakref
from collections.abc import Sequence
from typing import Any

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# RFC 4291 section 2.4 and the IANA registry: all public IPv6 addresses are in here.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressBlocked(OSError):  # noqa: N818 -- states the fact
    """The address is private, loopback, link-local, multicast or otherwise reserved."""


def is_allowed_address(text: str, allowed: Sequence[IPNetwork]) -> bool:
    """Return whether Berth may connect to an address.

    ``allowed`` lists networks that would otherwise be refused: see
    ``BERTH_ALLOWED_PRIVATE_NETWORKS``.
    """
    address = _embedded(ipaddress.ip_address(text.partition("%")[0]))
    if any(address in network for network in allowed):
        return True
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        # The standard library calls some others public: ::a.b.c.d, site-local
        # fec0::/10, and the local NAT64 prefix 64:ff9b:1::/48.
        return False
    return address.is_global and not address.is_multicast


def _embedded(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 one really leads to, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class AddressGuard:
    """Opens sockets for allowed addresses only; give it to an aiohttp connector."""

    def __init__(self, allowed: Sequence[IPNetwork]) -> None:
        self._allowed = tuple(allowed)
        self._opened: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def __call__(self, address_info: tuple[Any, ...]) -> socket.socket:
        """Return a socket for one resolved address.

        Raises:
            AddressBlocked: the address is not allowed.
        """
        family, kind, protocol, _name, sockaddr = address_info
        if not is_allowed_address(str(sockaddr[0]), self._allowed):
            # The same words for every address: of several failures with one text,
            # aiohttp raises the first, and of different ones none.
            raise AddressBlocked("not a public address")
        opened = socket.socket(family=family, type=kind, proto=protocol)
        opened.setblocking(False)
        self._opened.add(opened)
        return opened

    async def all_closed(self, seconds: float) -> None:
        """Return once all of its sockets are closed, or after so many seconds.

        A TLS connection says good-bye before it closes; an event loop that ends
        earlier would leave its socket open.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(  # noqa: ASYNC110 -- has no event
            item.fileno() != -1 for item in tuple(self._opened)
        ):
            await asyncio.sleep(0.005)
