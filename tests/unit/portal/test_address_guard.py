from __future__ import annotations

import socket
from ipaddress import ip_network

import pytest

from portal.address_guard import AddressBlocked, AddressGuard, is_allowed_address


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "fd00:ec2::254",
        "fc00::1",
        "ff02::1",
        "ff0e::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1:0:0:80ff:fffe",
        "fec0::1",
        "::ffff:0:127.0.0.1",
        "4000::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not is_allowed_address(address, [])


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "44.205.64.79", "2606:4700:4700::1111", "::ffff:1.1.1.1"],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed_address(address, [])


def test_named_networks_are_opened_and_no_others() -> None:
    allowed = [ip_network("127.0.0.0/8"), ip_network("fd00:1::/32")]

    assert is_allowed_address("127.0.0.1", allowed)
    assert is_allowed_address("::ffff:127.0.0.1", allowed)
    assert is_allowed_address("fd00:1::5", allowed)
    assert not is_allowed_address("::1", allowed)
    assert not is_allowed_address("10.0.0.1", allowed)


def test_guard_opens_sockets_for_allowed_addresses_only() -> None:
    guard = AddressGuard([ip_network("127.0.0.0/8")])
    kind, protocol = socket.SOCK_STREAM, socket.IPPROTO_TCP

    with guard((socket.AF_INET, kind, protocol, "", ("127.0.0.1", 80))) as opened:
        assert not opened.getblocking()
    with pytest.raises(AddressBlocked):
        guard((socket.AF_INET, kind, protocol, "", ("169.254.169.254", 80)))
    with pytest.raises(AddressBlocked):
        guard((socket.AF_INET6, kind, protocol, "", ("::1", 80, 0, 0)))
