from __future__ import annotations

from ipaddress import ip_network

import pytest

from portal.http.client_address import (
    client_address,
    is_trusted_proxy,
    neighbourhood,
)

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", " , ,", "10.0.0.1"),
        ("fd00::1", "2001:db8::9", "2001:db8::9"),
        # What a listener on "::" calls its IPv4 peers
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("::ffff:203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("", "198.51.100.1", None),
        ("unix:", "", None),
    ],
)
def test_client_address(peer: str, forwarded_for: str, expected: str | None) -> None:
    assert client_address(peer, forwarded_for, PROXIES) == expected


def test_no_proxy_is_trusted_by_default() -> None:
    assert client_address("127.0.0.1", "198.51.100.1", []) == "127.0.0.1"
    assert not is_trusted_proxy("127.0.0.1", [])
    assert is_trusted_proxy("10.1.2.3", PROXIES)
    assert is_trusted_proxy("::ffff:10.1.2.3", PROXIES)
    assert not is_trusted_proxy("::ffff:11.1.2.3", PROXIES)
    assert not is_trusted_proxy("nonsense", PROXIES)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        # Otherwise everybody with an IPv4 address would be one neighbourhood.
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown", "unknown"),
    ],
)
def test_neighbourhood(address: str, expected: str) -> None:
    assert neighbourhood(address) == expected
