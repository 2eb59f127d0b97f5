"""Networks that something is allowed from, as texts such as ``10.0.0.0/8``."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from functools import lru_cache

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def canonical_network(text: str) -> str:
    """Return a network as it is stored; an address alone is a network of one.

    Raises:
        ValueError: it is not a network; the message says what to write.
    """
    given = text.strip().partition("/")[0]
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        network = None
    if network is None or "%" in given:
        raise ValueError(
            f"{text!r} is not a network. Write it like 192.0.2.0/24 or 2001:db8::/32."
        )
    if ipaddress.ip_address(given) != network.network_address:
        raise ValueError(f"{text!r} is within a network. Did you mean {network}?")
    if isinstance(network, ipaddress.IPv6Network) and (
        network.network_address.ipv4_mapped
    ):
        raise ValueError(f"Write {text!r} as an IPv4 network.")
    return str(network)


def is_within(address: str, networks: Collection[str]) -> bool:
    """Return whether an address is in one of the networks.

    Without networks, every address is. With them, a text that is no address is not.
    """
    if not networks:
        return True
    parsed = _address(address)
    return parsed is not None and any(
        parsed in _parsed(network) for network in networks
    )


def network_of(address: str) -> str | None:
    """Return the network that an address is used from, or None if it is no address.

    It is as large as the addresses that one place gets over time: an IPv4 /16, in which
    a provider's dynamic addresses and a cloud's new nodes mostly stay, and an IPv6 /48,
    which is what one site has.
    """
    parsed = _address(address)
    if parsed is None:
        return None
    length = 16 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((parsed, length), strict=False))


def _address(text: str) -> IPAddress | None:
    """Return an address; one of IPv4 that is written as one of IPv6 is of IPv4."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        return parsed.ipv4_mapped
    return parsed


@lru_cache(maxsize=10_000)
def _parsed(network: str) -> IPNetwork:
    return ipaddress.ip_network(network)
