from __future__ import annotations

import asyncio
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
        # Teredo by a public server to a client that is not public.
        "2001:0:808:808:0:0:80ff:fffe",
        "2001:0:808:808:0:0:f5ff:fffe",
        "64:ff9b::a00:1",
        "fec0::1",
        "::ffff:0:127.0.0.1",
        "4000::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not is_allowed_address(address, [])


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "44.205.64.79",
        "2606:4700:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::808:808",
        "2002:808:808::1",
        # Teredo by a server that is not public to a public client.
        "2001:0:7f00:1:0:0:f7f7:f7f7",
    ],
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


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::5",
        "2001:0:808:808:0:0:f5ff:fffe",
    ],
)
def test_an_open_ipv4_network_is_open_in_every_spelling(address: str) -> None:
    assert is_allowed_address(address, [ip_network("10.0.0.0/8")])
    assert not is_allowed_address(address, [ip_network("64:ff9b::/96")])


def test_guard_opens_sockets_for_allowed_addresses_only() -> None:
    guard = AddressGuard([ip_network("127.0.0.0/8")])
    kind, protocol = socket.SOCK_STREAM, socket.IPPROTO_TCP

    with guard((socket.AF_INET, kind, protocol, "", ("127.0.0.1", 80))) as opened:
        assert not opened.getblocking()
    with pytest.raises(AddressBlocked):
        guard((socket.AF_INET, kind, protocol, "", ("169.254.169.254", 80)))
    with pytest.raises(AddressBlocked):
        guard((socket.AF_INET6, kind, protocol, "", ("::1", 80, 0, 0)))


def opened_for(address: str, family: socket.AddressFamily) -> socket.socket:
    guard = AddressGuard([ip_network("127.0.0.0/8"), ip_network("::1/128")])
    address_info = (family, socket.SOCK_DGRAM, socket.IPPROTO_UDP, "", (address, 80))
    return guard(address_info)


@pytest.mark.parametrize(
    ("address", "family"),
    [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)],
)
def test_a_socket_is_what_the_address_needs(
    address: str, family: socket.AddressFamily
) -> None:
    with opened_for(address, family) as opened:
        assert opened.family is family
        assert opened.type is socket.SOCK_DGRAM
        assert opened.proto == socket.IPPROTO_UDP


async def test_all_closed_waits_for_every_socket() -> None:
    guard = AddressGuard([ip_network("127.0.0.0/8")])
    kind, protocol = socket.SOCK_STREAM, socket.IPPROTO_TCP
    sockets = [
        guard((socket.AF_INET, kind, protocol, "", ("127.0.0.1", 80))) for _ in range(2)
    ]
    waiting = asyncio.ensure_future(guard.all_closed(30))

    sockets[0].close()
    await asyncio.sleep(0.05)
    assert not waiting.done()
    sockets[1].close()
    await asyncio.wait_for(waiting, 20)


async def test_all_closed_waits_no_longer_than_it_is_given() -> None:
    guard = AddressGuard([ip_network("127.0.0.0/8")])
    kind, protocol = socket.SOCK_STREAM, socket.IPPROTO_TCP
    with guard((socket.AF_INET, kind, protocol, "", ("127.0.0.1", 80))):
        await asyncio.wait_for(guard.all_closed(0.05), 20)
    await asyncio.wait_for(AddressGuard([]).all_closed(60), 20)
