from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oci.yaml_documents import (
    MalformedYaml,
    Mapping,
    Scalar,
    Sequence,
    yaml_documents,
)

# The limits, written out: what people write must fit.
MAX_BYTES, MAX_DOCUMENTS = 1_000_000, 2_000
MAX_DEPTH, MAX_NODES = 100, 250_000


def root(text: str) -> Mapping:
    (document,) = yaml_documents(text)
    assert isinstance(document, Mapping)
    return document


def refusal(text: str) -> MalformedYaml:
    with pytest.raises(MalformedYaml) as caught:
        list(yaml_documents(text))
    return caught.value


def test_nodes_know_their_line() -> None:
    document = root("a: 1\n\nb:\n  - x\n  - c: y\n")

    assert document.line == 1
    listed = document.get("b")
    assert isinstance(listed, Sequence)
    assert [item.line for item in listed.items] == [4, 5]


def test_documents_are_told_apart_and_may_be_empty() -> None:
    documents = list(yaml_documents("---\n---\na: b\n---\n- c\n...\n---\nd"))

    assert [type(item) for item in documents] == [Scalar, Mapping, Sequence, Scalar]


def test_no_text_is_no_document() -> None:
    assert list(yaml_documents("")) == []
    assert list(yaml_documents("# only a comment\n")) == []


def test_json_is_yaml() -> None:
    assert root('{"kind": "Pod", "n": null}').text("kind") == "Pod"


@pytest.mark.parametrize("null", ["", "~", "null", "NULL"])
def test_null_is_no_text(null: str) -> None:
    assert root(f"a: {null}").text("a") == ""


def test_a_quoted_null_is_text() -> None:
    assert root("a: 'null'").text("a") == "null"


def test_of_a_key_given_twice_the_last_counts() -> None:
    assert root("a: 1\na: 2").text("a") == "2"


def test_an_alias_stands_for_its_anchor() -> None:
    assert root("a: &x one\nb: *x").text("b") == "one"


def test_an_anchor_may_be_given_anew() -> None:
    assert root("a: &x one\nb: &x two\nc: *x").text("c") == "two"


def test_merged_keys_stand_behind_ones_own() -> None:
    document = root(
        "base: &base {image: old, name: n}\nother: &other {tag: t}\n"
        "one: {<<: *base, image: new}\ntwo: {<<: [*base, *other]}\n"
    )
    one, two = document.get("one"), document.get("two")

    assert isinstance(one, Mapping)
    assert isinstance(two, Mapping)
    assert (one.text("image"), one.text("name")) == ("new", "n")
    assert (two.text("image"), two.text("tag")) == ("old", "t")


def test_a_tag_makes_no_object() -> None:
    assert root("a: !!python/object/apply:os.system [ls]").get("a") is not None


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: b\n\tc: d", 2, "This is not YAML"),
        ("a: 'b", 1, "This is not YAML"),
        ("a: b\nb: c: d", 2, "This is not YAML"),
        ("a: b\nc: [", 2, "This is not YAML"),
        ("a:\n  b: *nowhere", 2, "The anchor &nowhere is not defined above."),
        ("a: &a\n  b: *a", 2, "The anchor &a contains itself."),
        ("a: b\nc: \x00", 2, "The character U+0000 is not allowed in YAML."),
        ("a: \ud800", 1, "The character U+D800 is not allowed in YAML."),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, says: str) -> None:
    found = refusal(text)

    assert found.line in {line, line + 1}
    assert str(found).startswith(f"Line {found.line}: {says}")


def test_a_template_is_told_apart_from_bad_yaml() -> None:
    assert "helm template" in str(refusal("a: b\n{{- if .Values.x }}\nc: d"))


def test_too_much_text_is_refused() -> None:
    assert str(refusal("#" * (MAX_BYTES + 1))).startswith(
        "The text is larger than 1 MB"
    )


def test_bytes_count_and_not_characters() -> None:
    assert str(refusal("#" + "é" * (MAX_BYTES // 2))).startswith("The text is larger")


def test_too_many_documents_are_refused() -> None:
    found = refusal("---\n" * (MAX_DOCUMENTS + 1))

    assert found.line in {MAX_DOCUMENTS + 1, MAX_DOCUMENTS + 2}
    assert len(list(yaml_documents("---\n" * MAX_DOCUMENTS))) == MAX_DOCUMENTS


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused(opening: str) -> None:
    text = opening * (MAX_BYTES // len(opening))

    assert "nested deeper" in str(refusal(text))


def test_nesting_is_allowed_up_to_the_limit() -> None:
    def nested(depth: int) -> str:
        return "[" * depth + "]" * depth

    assert len(list(yaml_documents(nested(MAX_DEPTH)))) == 1
    assert refusal(nested(MAX_DEPTH + 1)).line == 1


def test_nesting_through_aliases_counts_too() -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, MAX_DEPTH + 10)]

    found = refusal("\n".join(lines))

    assert "nested deeper" in str(found)
    assert found.line is not None
    assert found.line <= MAX_DEPTH + 1


@pytest.mark.parametrize("kind", ["[{}]", "{{<<: [{}]}}"])
def test_aliases_that_multiply_are_refused_at_once(kind: str) -> None:
    lines = ["a0: &a0 {lol: lol}"]
    lines += [
        f"a{n}: &a{n} " + kind.format(", ".join([f"*a{n - 1}"] * 9))
        for n in range(1, 30)
    ]

    found = refusal("\n".join(lines))

    assert found.line is not None
    assert found.line < 10
    assert f"more than {MAX_NODES} values" in str(found)


def test_a_megabyte_of_small_values_is_read() -> None:
    text = "a:\n" + "".join(f"  k{n}: value-{n}\n" for n in range(45_000))

    (value,) = [item for _, item in root(text).pairs]
    assert value.size == 90_001


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(MalformedYaml):
        list(yaml_documents(text))


@settings(deadline=None)
@given(st.lists(st.sampled_from(list("abk:-[]{}&*!|>'\"#%@`,?~<\n \t\\")), max_size=60))
def test_any_mixture_of_signs_is_read_or_refused(signs: list[str]) -> None:
    with contextlib.suppress(MalformedYaml):
        list(yaml_documents("".join(signs)))


def test_json_may_have_surrogate_pairs_and_escaped_backslashes() -> None:
    text = '{"a": "\\ud83d\\ude00",\n "b": "\\\\ud83d\\\\ude00", "c": "\\u00e9"}'

    (root,) = yaml_documents(text)

    assert isinstance(root, Mapping)
    expected = json.loads(text)
    assert {key: root.text(key) for key in ("a", "b", "c")} == expected
    node = root.get("b")
    assert node is not None
    assert node.line == 2
