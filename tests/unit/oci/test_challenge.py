from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.challenge import Challenge, format_bearer_challenge, parse_challenges

PRINTABLE_ASCII = st.text(
    alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E)
)
ERROR_TEXT = st.text(
    alphabet=st.characters(
        min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"\\'
    )
)
HEADER_TEXT = st.text() | st.text(alphabet='aB1 \t,="\\/\x00é', max_size=200)


@pytest.mark.parametrize(
    ("text", "challenges"),
    [
        ("", []),
        (" , ,", []),
        ("Basic", [Challenge("basic", {})]),
        ('Basic realm="a"', [Challenge("basic", {"realm": "a"})]),
        ("BASIC Realm = a", [Challenge("basic", {"realm": "a"})]),
        ('Basic realm="Caf\u00e9"', [Challenge("basic", {"realm": "Caf\u00e9"})]),
        ('Basic realm=""', [Challenge("basic", {"realm": ""})]),
        (r'Basic realm="a\b\\"', [Challenge("basic", {"realm": "ab\\"})]),
        # A control character ends the line's challenges, after a backslash too.
        ('Basic realm="a\\\x00b"', [Challenge("basic", {})]),
        ('Basic realm="a\\\nb"', [Challenge("basic", {})]),
        ('Basic realm="a\\\x7fb"', [Challenge("basic", {})]),
        ('Basic a=b, realm="\x1f", Bearer c=d', [Challenge("basic", {"a": "b"})]),
        ('Basic realm="a\\\tb"', [Challenge("basic", {"realm": "a\tb"})]),
        (
            'Bearer realm="https://a.io/token",service="a.io",scope="repository:b:pull,x"',
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://a.io/token",
                        "service": "a.io",
                        "scope": "repository:b:pull,x",
                    },
                )
            ],
        ),
        (
            r'New realm="apps", type=1, title="To \"apps\"", Basic realm="simple"',
            [
                Challenge(
                    "new",
                    {"realm": "apps", "type": "1", "title": 'To "apps"'},
                ),
                Challenge("basic", {"realm": "simple"}),
            ],
        ),
        (
            "Negotiate, NTLM, Basic realm=a",
            [
                Challenge("negotiate", {}),
                Challenge("ntlm", {}),
                Challenge("basic", {"realm": "a"}),
            ],
        ),
        (
            "Negotiate ab+/c== , Basic realm=a",
            [Challenge("negotiate", {}), Challenge("basic", {"realm": "a"})],
        ),
        ("Negotiate realm=", [Challenge("negotiate", {})]),
        ('Basic a="1" b=2', [Challenge("basic", {"a": "1", "b": "2"})]),
        ("Basic a=1, A=2", [Challenge("basic", {"a": "1"})]),
        (r'Basic a="\\\"\x"', [Challenge("basic", {"a": r"\"x"})]),
    ],
)
def test_parse_challenges_reads_one_line(
    text: str, challenges: list[Challenge]
) -> None:
    assert parse_challenges([text]) == challenges


@pytest.mark.parametrize(
    ("text", "challenges"),
    [
        ("realm=a, Basic realm=b", []),
        ('"quoted", Basic', []),
        ("=, Basic", []),
        ("\x00Basic", []),
        ("Basic a=1, b=, c=2", [Challenge("basic", {"a": "1"})]),
        ('Basic a=1, b="open', [Challenge("basic", {"a": "1"})]),
        ('Basic a=1, b="open\\', [Challenge("basic", {"a": "1"})]),
        ('Basic a="1\r\nSet-Cookie: x"', [Challenge("basic", {})]),
        ('Basic a="1\\\n"', [Challenge("basic", {})]),
        ('Basic a="1"2, b=3', [Challenge("basic", {})]),
        ("Bearer realm=https://a.example/, b=3", [Challenge("bearer", {})]),
        ("Basic, \u212a=1, b=2", [Challenge("basic", {})]),
    ],
)
def test_parse_challenges_keeps_what_precedes_an_error(
    text: str, challenges: list[Challenge]
) -> None:
    assert parse_challenges([text]) == challenges


def test_parse_challenges_reads_every_line_on_its_own() -> None:
    challenges = parse_challenges(['Bearer realm="open', "Basic realm=a", ""])

    assert challenges == [Challenge("bearer", {}), Challenge("basic", {"realm": "a"})]


@pytest.mark.parametrize(
    "text",
    [
        'a="' + "\\" * 200_001,
        'Basic a="' + "\\a" * 100_000,
        "Basic " + "=" * 200_000,
        "Basic" + " " * 200_000 + "\x00",
    ],
)
def test_parse_challenges_survives_long_hostile_lines(text: str) -> None:
    assert len(parse_challenges([text])) <= 1


def test_parse_challenges_reads_many_schemes() -> None:
    assert len(parse_challenges(["a, " * 20_000])) == 20_000


@given(st.lists(HEADER_TEXT, max_size=4))
def test_parse_challenges_never_raises(values: list[str]) -> None:
    for challenge in parse_challenges(values):
        assert challenge.scheme == challenge.scheme.lower()
        assert all(name == name.lower() for name in challenge.parameters)


def test_format_bearer_challenge_writes_only_what_is_given() -> None:
    header = format_bearer_challenge(
        realm="https://a.example/v2/token", service="berth"
    )

    assert header == 'Bearer realm="https://a.example/v2/token",service="berth"'


def test_format_bearer_challenge_writes_all_parameters_in_order() -> None:
    header = format_bearer_challenge(
        realm='a"b\\c',
        service="s",
        scope="repository:a/b:pull",
        error='The "token" of C:\\ ended \u2013\r\nnow.',
    )

    assert header == (
        r'Bearer realm="a\"b\\c",service="s",scope="repository:a/b:pull",'
        "error=\"The 'token' of C:/ ended ???now.\""
    )


@pytest.mark.parametrize("name", ["realm", "service", "scope"])
@pytest.mark.parametrize("text", ["a\r", "a\n", "a\r\nb: c", "\x00", "\t", "\x7f", "é"])
def test_format_bearer_challenge_refuses_unprintable_characters(
    name: str, text: str
) -> None:
    parameters = {"realm": "r", "service": "s", "scope": "c", name: text}

    with pytest.raises(ValueError, match=r" is not allowed in a header\.$"):
        format_bearer_challenge(**parameters)


@given(
    PRINTABLE_ASCII,
    PRINTABLE_ASCII,
    st.fixed_dictionaries(
        {},
        optional={
            "scope": PRINTABLE_ASCII,
            "error": ERROR_TEXT,
        },
    ),
)
def test_parse_challenges_reads_back_what_was_formatted(
    realm: str, service: str, optional: dict[str, str]
) -> None:
    header = format_bearer_challenge(realm=realm, service=service, **optional)

    parameters = {"realm": realm, "service": service, **optional}
    assert parse_challenges([header]) == [Challenge("bearer", parameters)]


@given(st.text())
def test_format_bearer_challenge_makes_any_error_text_safe(error: str) -> None:
    header = format_bearer_challenge(realm="r", service="s", error=error)

    [challenge] = parse_challenges([header])
    assert header.isascii()
    assert header.isprintable()
    assert set(challenge.parameters) == {"realm", "service", "error"}
    assert len(challenge.parameters["error"]) == len(error)
