from __future__ import annotations

import pytest

from licenses.networks import canonical_network, is_within


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_canonical_network(text: str, network: str) -> None:
    assert canonical_network(text) == network


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a network"),
        ("customer.example", "not a network"),
        ("10.0.0.0/33", "not a network"),
        ("010.0.0.1", "not a network"),
        ("10.0.0.5/8", "Did you mean 10.0.0.0/8?"),
        ("::ffff:10.0.0.0/104", "as an IPv4 network"),
        ("fe80::1%eth0", "not a network"),
    ],
)
def test_what_is_no_network_is_refused_with_advice(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        canonical_network(text)


@pytest.mark.parametrize(
    ("address", "networks", "within"),
    [
        ("192.0.2.1", [], True),
        ("unknown", [], True),
        ("192.0.2.1", ["192.0.2.0/24"], True),
        ("192.0.3.0", ["192.0.2.0/24"], False),
        ("192.0.3.0", ["192.0.2.0/24", "192.0.3.0/32"], True),
        ("::ffff:192.0.2.1", ["192.0.2.0/24"], True),
        ("2001:db8::1", ["192.0.2.0/24"], False),
        ("2001:db8::1", ["2001:db8::/32"], True),
        ("192.0.2.1", ["::/0"], False),
        ("unknown", ["0.0.0.0/0", "::/0"], False),
        ("", ["0.0.0.0/0"], False),
    ],
)
def test_is_within(address: str, networks: list[str], within: bool) -> None:
    assert is_within(address, networks) is within
