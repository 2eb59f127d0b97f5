"""What is written, readers of YAML 1.1, YAML 1.2 and JSON read alike.

PyYAML reads YAML 1.1. No installed library reads YAML 1.2, so its core schema is
written out here, from the tables of section 10.3.2 of the specification.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from oci.portable_yaml import from_portable_yaml, to_portable_yaml
from oci.yaml_documents import MalformedYaml
from tests.support.ids import plain_id

# A scalar, and what YAML 1.1, YAML 1.2 and JSON read. "…" stands for "not valid".
READERS_DIFFER: list[tuple[str, Any, Any, Any]] = [
    ("01000", 512, 1000, ...),
    ("0o1000", "0o1000", 512, ...),
    ("0x200", 512, 512, ...),
    ("0b11", 3, "0b11", ...),
    ("1_000", 1000, "1_000", ...),
    ("1:30", 90, "1:30", ...),
    ("1:1:1.5", 3661.5, "1:1:1.5", ...),
    ("+5", 5, 5, ...),
    ("-0", 0, 0, 0),
    ("00", 0, 0, ...),
    ("08", "08", 8, ...),
    ("1.5", 1.5, 1.5, 1.5),
    ("1.0", 1.0, 1.0, 1.0),
    ("1e3", "1e3", 1000.0, 1000.0),
    (".5", 0.5, 0.5, ...),
    ("5.", 5.0, 5.0, ...),
    (".inf", float("inf"), float("inf"), ...),
    ("yes", True, "yes", ...),
    ("No", False, "No", ...),
    ("on", True, "on", ...),
    ("OFF", False, "OFF", ...),
    ("True", True, True, ...),
    ("FALSE", False, False, ...),
    ("~", None, None, ...),
    ("NULL", None, None, ...),
    ("", None, None, ...),
    ("2031-02-03", date(2031, 2, 3), "2031-02-03", ...),
    ("=", ..., "=", ...),
    ("<<", ..., "<<", ...),
    ("two words", "two words", "two words", ...),
    ("12ab", "12ab", "12ab", ...),
    ("é", "é", "é", ...),
    ("'quoted'", "quoted", "quoted", ...),
    ('"a\\/b"', "a/b", "a/b", "a/b"),
]
# Words that some reader has taken for something else than a text.
AMBIGUOUS_WORDS = [
    *("y", "Y", "n", "N", "yes", "no", "on", "off", "true", "True", "false", "FALSE"),
    *("null", "Null", "NaN", "nan", "inf", "Infinity"),
]
BOTH_READ = [
    ("0", 0),
    ("7", 7),
    ("-25", -25),
    ("9223372036854775807", 2**63 - 1),
    ("true", True),
    ("false", False),
    ("null", None),
    ('"yes"', "yes"),
    ('""', ""),
    ('"a\\n\\t\\"\\\\ \\u00e9 😀"', 'a\n\t"\\ é 😀'),
]
CORE_SCHEMA: list[tuple[str, Callable[[str], Any]]] = [
    (r"null|Null|NULL|~|", lambda _: None),
    (r"true|True|TRUE", lambda _: True),
    (r"false|False|FALSE", lambda _: False),
    (r"[-+]?[0-9]+", int),
    (r"0o[0-7]+", lambda text: int(text, 0)),
    (r"0x[0-9a-fA-F]+", lambda text: int(text, 0)),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
    (r"[-+]?\.(inf|Inf|INF)", lambda text: float(text.replace(".", ""))),
]


def nested(levels: int) -> str:
    """Return YAML of a value below so many keys, beside its own."""
    lines = [f"{' ' * level}a:\n" for level in range(levels)]
    return "".join(lines) + f"{' ' * levels}a: b\n"


def yaml_1_2(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {yaml_1_2(key): yaml_1_2(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [yaml_1_2(item) for item in node.value]
    if node.style is None:
        for pattern, read in CORE_SCHEMA:
            if re.fullmatch(pattern, node.value):
                return read(node.value)
    return node.value


def read_1_1(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return {"a": ...}


def read_1_2(text: str) -> Any:
    return yaml_1_2(yaml.compose(text, Loader=yaml.SafeLoader))


def read_json(scalar: str) -> Any:
    try:
        return json.loads(scalar)
    except ValueError:
        return ...


@pytest.mark.parametrize(("scalar", "old", "new", "as_json"), READERS_DIFFER)
def test_a_scalar_that_readers_read_differently_is_refused(
    scalar: str, old: Any, new: Any, as_json: Any
) -> None:
    text = f"a: {scalar}\n"
    read = [read_1_1(text)["a"], read_1_2(text)["a"], read_json(scalar)]
    assert list(map(repr, read)) == list(map(repr, [old, new, as_json]))

    with pytest.raises(MalformedYaml, match=r"^Line 2: .*in double quotes"):
        from_portable_yaml(f"b: 1\n{text}")
    with pytest.raises(MalformedYaml, match=r"^Line 1: "):
        from_portable_yaml(f"{scalar}: 1\n")


@pytest.mark.parametrize("word", AMBIGUOUS_WORDS)
def test_an_ambiguous_word_is_never_a_text(word: str) -> None:
    assert to_portable_yaml({word: word}) == f'"{word}": "{word}"\n'
    with pytest.raises(MalformedYaml):
        from_portable_yaml(f"{word}: 1\n")
    if word not in {"true", "false", "null"}:
        with pytest.raises(MalformedYaml):
            from_portable_yaml(f"a: {word}\n")


@pytest.mark.parametrize(("scalar", "value"), BOTH_READ)
def test_a_scalar_that_all_readers_read_alike_is_accepted(
    scalar: str, value: Any
) -> None:
    text = f"a: {scalar}\n"
    read = [
        yaml.safe_load(text)["a"],
        read_1_2(text)["a"],
        read_json(scalar),
        from_portable_yaml(text)["a"],
    ]

    assert list(map(repr, read)) == [repr(value)] * 4


# All that earlier versions wrote: words as values, and the escapes of YAML 1.1.
@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        *((word, word) for word in ("my-app", "kots.io/v1beta2", "prod", "a_B9.")),
        ('"\\0\\a\\b\\t\\n\\v\\f\\r\\e"', "\0\a\b\t\n\v\f\r\x1b"),
        ('"\\N\\_\\L\\P"', "\x85\xa0\u2028\u2029"),
        ('"\\x7F\\uFEFF\\U0001F600"', "\x7f\ufeff😀"),
    ],
)
def test_files_of_earlier_versions_stay_valid(scalar: str, value: str) -> None:
    text = f"a: {scalar}\n"

    assert from_portable_yaml(text) == yaml.safe_load(text) == {"a": value}
    assert read_1_2(text) == {"a": value}


@pytest.mark.parametrize(
    "text",
    [
        "a: 9223372036854775808\n",
        "a: -9223372036854775808\n",
        "a: " + "9" * 5_000 + "\n",
        "a: |\n  text\n",
        "a: >-\n  text\n",
        'a: "two\n  lines"\n',
        'a: "ends\\\n  here"\n',
        "a: two\n  words\n",
        'a: "\\ud83d\\ude00"\n',
        'a: "\\U0000d83d"\n',
        'a: "\\U00110000"\n',
        'a: "\\q"\n',
        "a: &b 1\n",
        "a: &b 1\nc: *b\n",
        "&b a: 1\n",
        "a: &b\n  c: 1\n",
        'a: !!str "b"\n',
        'a: ! "b"\n',
        "!!map\na: 1\n",
        "a:\n  <<:\n    b: 1\n",
        'a:\n  "<<":\n    b: 1\n',
        "a: {b: 1}\n",
        "a: [1]\n",
        '{"a": 1}\n',
        "a: 1\na: 1\n",
        'a: 1\n"a": 1\n',
        "1: 1\n",
        "null: 1\n",
        "? - a\n: 1\n",
        "? a: 1\n: 1\n",
        "a:\n",
        "- a\n-\n",
        "a: 1\n---\nb: 1\n",
        "a: 1\n---\n",
        "a: 1\n...\n",
        "a: 1\n...\nb: 1\n",
        "%YAML 1.2\n---\na: 1\n",
        "%TAG ! !x\n---\na: 1\n",
        "\ufeffa: 1\n",
        "a: 1\n\ufeff",
        "a:\t1\n",
        "a: 1\t\n",
        'a: "b\tc"\n',
        "a: 1\rb: 1\n",
        "# c\u2028a: 1\nb: 1\n",
        "# c\u2029a: 1\nb: 1\n",
        "# c\x85a: 1\nb: 1\n",
        'a: "b\u2028c"\n',
        'a: "b\x85c"\n',
        "a: 1 # \x00\n",
        'a: "\x7f"\n',
        'a: "\ufffe"\n',
        "a: 1\nb\n",
        "a: @b\n",
        "".join(f"{' ' * depth}a:\n" for depth in range(60)),
        "[" * 100_000,
    ],
    ids=plain_id,
)
def test_what_is_not_plain_is_refused(text: str) -> None:
    with pytest.raises(MalformedYaml):
        from_portable_yaml(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\na: b\nc: \x07\n\n\n\n", "Line 3: U+0007 is not allowed here."),
        ("# One\n%TAG ! x:\n---\na: b\n", "Line 2: Directives are not allowed."),
        ("a: b\n---\nc: d\n", "Line 2: Nothing may follow the document."),
        ("a: b\n...\n", "Line 2: Nothing may follow the document."),
        (nested(50), "Line 51: This is nested too deeply."),
        ("a: b\n1: c\n", "Line 2: Only text can be a key."),
        ("a: b\n? - c\n: d\n", "Line 2: Only text can be a key."),
        ("a: b\na: c\n", "Line 2: This key is a duplicate."),
        ("a: b\nc: [d]\n", "Line 2: Use indented lines instead of {…} and […]."),
        ("a: b\nc: &x d\n", "Line 2: Anchors, aliases and tags are not allowed."),
    ],
    ids=plain_id,
)
def test_a_refusal_says_what_is_wrong_and_where(text: str, sentence: str) -> None:
    with pytest.raises(MalformedYaml) as caught:
        from_portable_yaml(text)

    assert str(caught.value) == sentence


def test_fifty_levels_are_read() -> None:
    assert from_portable_yaml(nested(49))["a"]["a"]
    assert from_portable_yaml("- " * 50 + "b\n")[0][0]
    with pytest.raises(MalformedYaml, match="nested too deeply"):
        from_portable_yaml("- " * 51 + "b\n")


def test_a_refusal_names_the_line_and_not_the_value() -> None:
    with pytest.raises(MalformedYaml) as caught:
        from_portable_yaml("a: 1\nb: 'secret'\n")

    assert caught.value.line == 2
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "---\na: 1\nb:\n- c\n",
        "# A comment.\na: 1 # here\nb:\n  - c\n",
        "a: 1\r\nb:\r\n- c\r\n",
        '"a": 1\n"b":\n- "c"',
        "\n\na:   1  \nb:\n\n  -   c\n\n",
    ],
)
def test_layout_that_changes_no_value_is_accepted(text: str) -> None:
    assert from_portable_yaml(text) == {"a": 1, "b": ["c"]}


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n"])
def test_an_empty_text_is_none(text: str) -> None:
    assert from_portable_yaml(text) is None


@pytest.mark.parametrize("value", [1.5, date(2031, 2, 3), b"a", {1}, object()])
def test_other_types_are_not_written(value: object) -> None:
    with pytest.raises(yaml.YAMLError):
        to_portable_yaml({"a": value})


@pytest.mark.parametrize("value", [2**63, -(2**63), "\ud83d"])
def test_what_some_reader_cannot_read_is_not_written(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- two kinds of it
        to_portable_yaml({"a": value})


def test_keys_are_words_and_texts_are_quoted() -> None:
    document = {
        "kind": "License",
        "spec": {"seats": 5, "sso": True, "none": None, "channels": [{"id": "1"}]},
        "no": {},
        "two words": [],
    }

    assert to_portable_yaml(document) == (
        'kind: "License"\n'
        "spec:\n"
        "  seats: 5\n"
        "  sso: true\n"
        "  none: null\n"
        "  channels:\n"
        '  - id: "1"\n'
        '"no": {}\n'
        '"two words": []\n'
    )


TEXTS = st.text() | st.text(st.sampled_from("\n\r\t \x85\u2028\ufeff\"\\'#:-{&*!0xe_."))
FIELD_NAMES = st.from_regex(r"\A[a-zA-Z_][a-zA-Z0-9_]{0,99}\Z") | st.sampled_from(
    AMBIGUOUS_WORDS
)
VALUES = TEXTS | st.integers(1 - 2**63, 2**63 - 1) | st.booleans()


@given(st.dictionaries(FIELD_NAMES, st.tuples(TEXTS, VALUES), max_size=3))
@example({"note": ("", "\x00\x1f\x7f\x85\u2028\ufffe\U0001ffff😀")})
def test_all_readers_read_whatever_a_vendor_enters(
    fields: dict[str, tuple[str, object]],
) -> None:
    document = {
        "kind": "License",
        "entitlements": {
            name: {"title": title, "value": value}
            for name, (title, value) in fields.items()
        },
    }

    text = to_portable_yaml(document)

    assert repr(from_portable_yaml(text)) == repr(document)
    assert repr(yaml.load(text, Loader=yaml.SafeLoader)) == repr(document)
    assert repr(yaml.load(text, Loader=yaml.CSafeLoader)) == repr(document)
    assert repr(read_1_2(text)) == repr(document)
    # One line to a value, which JSON reads too.
    scalars = [line.split(": ", 1)[1] for line in text.split("\n") if ": " in line]
    written = [item for pair in fields.values() for item in pair]
    expected = ["License", *written] if fields else ["License", {}]
    assert repr([json.loads(scalar) for scalar in scalars]) == repr(expected)
