from __future__ import annotations

import uuid

import pytest
from yarl import URL

from portal.crypto.secrets import Secret
from registries.upstream.realm_trust import authority, is_trusted_realm
from registries.upstream.target import UpstreamTarget


def target(api_host: str, *realm_hosts: str, scheme: str = "https") -> UpstreamTarget:
    return UpstreamTarget(
        team_id=uuid.uuid4(),
        registry_id=uuid.uuid4(),
        credential_id=uuid.uuid4(),
        label=api_host,
        endpoint=api_host,
        api_host=api_host,
        scheme=scheme,
        realm_hosts=frozenset(realm_hosts),
        username=Secret("me"),
        secret=Secret("mine"),
    )


QUAY = target("quay.io")
CORP = target("registry.corp.co.uk:5000")
HUB = target("registry-1.docker.io", "auth.docker.io")
TRUSTING = target("registry.example.com", "login.elsewhere.net", "[2001:db8::1]:8443")
LOCAL = target("localhost:5001", scheme="http")
ADDRESS = target("192.0.2.1")
PAGES = target("me.github.io")
INTERNAL = target("registry.corp.internal")
PLAIN = target("registry.example.com:5000", scheme="http")


@pytest.mark.parametrize(
    ("realm", "upstream"),
    [
        ("https://quay.io/v2/auth", QUAY),
        ("https://QUAY.io/v2/auth", QUAY),
        ("https://auth.quay.io/token", QUAY),
        ("https://auth.docker.io/token", HUB),
        ("https://auth.corp.co.uk/token", CORP),
        ("https://registry.corp.co.uk:5000/token", CORP),
        ("https://login.elsewhere.net/token", TRUSTING),
        ("https://[2001:db8::1]:8443/token", TRUSTING),
        ("http://localhost:5001/token", LOCAL),
        ("https://192.0.2.1/token", ADDRESS),
        ("https://registry.corp.internal/token", INTERNAL),
        ("http://registry.example.com:5000/token", PLAIN),
        ("https://auth.example.com/token", PLAIN),
        ("https://auth.quay.io./token", QUAY),
    ],
)
def test_realm_is_trusted(realm: str, upstream: UpstreamTarget) -> None:
    assert is_trusted_realm(URL(realm), upstream)


@pytest.mark.parametrize(
    ("realm", "upstream"),
    [
        ("https://evil.example/token", QUAY),
        ("https://quay.io.evil.example/token", QUAY),
        ("https://evilquay.io/token", QUAY),
        ("https://quay.io@evil.example/token", QUAY),
        ("https://me@quay.io/token", QUAY),
        ("http://quay.io/v2/auth", QUAY),
        ("http://auth.quay.io/token", QUAY),
        ("ftp://quay.io/token", QUAY),
        ("/token", QUAY),
        ("", QUAY),
        ("https://other.co.uk/token", CORP),
        ("https://login.elsewhere.net:444/token", TRUSTING),
        ("https://sub.login.elsewhere.org/token", TRUSTING),
        ("http://localhost:5002/token", LOCAL),
        ("http://evil.example/token", LOCAL),
        ("https://192.0.2.2/token", ADDRESS),
        ("https://1.192.0.2.1/token", ADDRESS),
        # Nobody knows who owns a name below an unknown suffix.
        ("https://auth.corp.internal/token", INTERNAL),
        ("https://corp.internal/token", INTERNAL),
        # Plain HTTP reaches the registry itself and no other host of its owner.
        ("http://auth.example.com/token", PLAIN),
        ("http://registry.example.com/token", PLAIN),
        # Everybody can have a name under a public suffix.
        ("https://you.github.io/token", PAGES),
    ],
)
def test_realm_is_not_trusted(realm: str, upstream: UpstreamTarget) -> None:
    assert not is_trusted_realm(URL(realm), upstream)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://quay.io/x", "quay.io"),
        ("https://quay.io:443/x", "quay.io"),
        ("https://quay.io:8443/x", "quay.io:8443"),
        ("http://localhost:5000", "localhost:5000"),
        ("https://[::1]:5000", "[::1]:5000"),
    ],
)
def test_authority(url: str, expected: str) -> None:
    assert authority(URL(url)) == expected
