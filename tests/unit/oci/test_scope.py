from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.scope import MalformedScope, Scope, parse_scopes

WORD = st.text(alphabet="abz09.-", min_size=1, max_size=8)
SCOPES = st.builds(
    Scope,
    type=WORD,
    name=st.lists(WORD, min_size=1, max_size=4).map("/".join)
    | st.tuples(WORD, WORD).map(lambda parts: f"{parts[0]}:5000/{parts[1]}"),
    actions=st.lists(WORD | st.just("*"), unique=True, max_size=4).map(tuple),
)


@pytest.mark.parametrize(
    ("values", "scopes"),
    [
        ([], []),
        ([""], []),
        (["  "], []),
        (["repository:a/b:pull"], [Scope("repository", "a/b", ("pull",))]),
        (["repository:a:push,pull"], [Scope("repository", "a", ("push", "pull"))]),
        (["repository:a:delete"], [Scope("repository", "a", ("delete",))]),
        (["registry:catalog:*"], [Scope("registry", "catalog", ("*",))]),
        (["repository:a:"], [Scope("repository", "a", ())]),
        (["repository:a:,pull,,pull"], [Scope("repository", "a", ("pull",))]),
        (["repository(plugin):a:pull"], [Scope("repository", "a", ("pull",))]),
        (["repository():a:pull"], [Scope("repository", "a", ("pull",))]),
        (["gadget:a:turn"], [Scope("gadget", "a", ("turn",))]),
        (
            ["repository:localhost:5000/a/b:pull"],
            [Scope("repository", "localhost:5000/a/b", ("pull",))],
        ),
    ],
)
def test_parse_scopes_reads_what_clients_send(
    values: list[str], scopes: list[Scope]
) -> None:
    assert parse_scopes(values) == scopes


@pytest.mark.parametrize(
    "values",
    [
        ["repository:to:pull,push", "repository:from:pull"],
        ["repository:to:pull,push repository:from:pull"],
        ["repository:to:pull  repository:from:pull ", " repository:to:push,pull"],
        ["repository:to:pull", "repository(plugin):to:push", "repository:from:pull"],
    ],
)
def test_parse_scopes_reads_a_cross_repository_mount(values: list[str]) -> None:
    scopes = parse_scopes(values)

    assert scopes == [
        Scope("repository", "to", ("pull", "push")),
        Scope("repository", "from", ("pull",)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a",
        ":",
        "::",
        "a:b",
        "repository:a",
        "repository::pull",
        ":a:pull",
        "(x):a:pull",
        "repository:a:pull\x00",
        "repository:a\n:pull",
        "\trepository:a:pull",
        "a:b:\x7f",
        "a:b\u2028c:pull",
        "a:\u202eb:pull",
        "a:b:pull\u00a0c:d:push",
        "a:\ud800:pull",
        "repository:a:pull junk",
        "a:b:" + "c" * 1021,
        "x" * 100_000,
    ],
)
def test_parse_scopes_refuses_gross_syntax(text: str) -> None:
    with pytest.raises(MalformedScope):
        parse_scopes([text])


def test_parse_scopes_accepts_the_longest_scope() -> None:
    assert parse_scopes(["a:b:" + "c" * 1020]) == [Scope("a", "b", ("c" * 1020,))]


def test_parse_scopes_accepts_twenty_scopes() -> None:
    texts = [f"repository:a{number}:pull" for number in range(20)]

    assert [str(scope) for scope in parse_scopes([" ".join(texts)])] == texts


@pytest.mark.parametrize(
    "values",
    [["a:b:c"] * 21, [" ".join(["a:b:c"] * 21)], ["a:b:c " * 10, "a:b:c " * 11]],
)
def test_parse_scopes_refuses_more_than_twenty_scopes(values: list[str]) -> None:
    with pytest.raises(MalformedScope) as refusal:
        parse_scopes(values)

    assert str(refusal.value) == "There are more than 20 scopes."


def test_parse_scopes_quotes_eighty_characters_of_a_long_input() -> None:
    with pytest.raises(MalformedScope) as refusal:
        parse_scopes(["x" * 1025])

    assert str(refusal.value) == (
        f"The scope that begins with '{'x' * 80}' is longer than 1024 characters."
    )


@given(st.lists(SCOPES, max_size=8, unique_by=lambda scope: (scope.type, scope.name)))
def test_parse_scopes_reads_back_what_str_wrote(scopes: list[Scope]) -> None:
    texts = [str(scope) for scope in scopes]

    assert parse_scopes(texts) == scopes
    assert parse_scopes([" ".join(texts)]) == scopes


@given(st.lists(st.text() | st.text(alphabet="ab:,() \x00", max_size=80), max_size=60))
def test_parse_scopes_raises_only_malformed_scope(values: list[str]) -> None:
    with contextlib.suppress(MalformedScope):
        scopes = parse_scopes(values)
        assert parse_scopes(map(str, scopes)) == scopes
        assert len({(scope.type, scope.name) for scope in scopes}) == len(scopes)
