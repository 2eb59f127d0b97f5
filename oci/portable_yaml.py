r"""YAML that every reader reads alike, for files that are signed.

Readers of YAML 1.1 and 1.2 differ: ``01000`` is 512 or 1000, ``off`` is false or a
text, U+2028 ends a comment or not. One reader could then verify a value that another
one does not see. Here, a scalar is one of

- ``0``, or ``-?[1-9][0-9]*`` within 64 bits; ``true``, ``false``, ``null``;
- a text in double quotes, on one line, with the escapes that YAML 1.1 and 1.2 share;
- a word, such as ``kind``, that no reader takes for anything but a text.

Only keys are written as words, and texts with JSON's escapes alone.

Source: YAML 1.1 (https://yaml.org/type/), YAML 1.2, section 10.3, and RFC 8259.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any, Final

import yaml

from oci.yaml_documents import MalformedYaml, line_of, parse_events

_MAX_DEPTH: Final = 50
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_NOT_TEXT: Final = frozenset(
    {
        *("y", "n", "yes", "no", "on", "off", "true", "false"),
        *("null", "nan", "inf", "infinity"),
    }
)
# "1e3" is a number in Go and a text to PyYAML.
_NUMERIC: Final = re.compile(r"[-+.]*[0-9]")
_NUMBER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
# YAML 1.1 does not have "\/", and JSON writes pairs of surrogates.
_QUOTED: Final = re.compile(
    r'"(?:[^"\\\n]|\\["\\0abtnvfreN_LP]|\\x[0-9a-fA-F]{2}'
    r"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    r'|\\U000(?!0[dD][89a-fA-F])[0-9a-fA-F]{5}|\\U0010[0-9a-fA-F]{4})*"'
)
# Readers differ in what else is a line end, and in the byte order mark.
_NOT_ALLOWED: Final = re.compile(
    r"\r(?!\n)|[^\r\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd"
    r"\U00010000-\U0010ffff]"
)
_UNSAFE_IN_JSON: Final = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_TEXT_TAG: Final = "tag:yaml.org,2002:str"


def to_portable_yaml(document: Mapping[str, Any]) -> str:
    """Return a document as YAML, in its order, each text on one line.

    Raises:
        ValueError: a number has more than 64 bits, or a text a lone surrogate.
        yaml.YAMLError: a value has another type.
    """
    text: str = yaml.dump(
        dict(document),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
    )
    text.encode()
    return text


def from_portable_yaml(text: str) -> Any:
    """Return what every reader of YAML reads, or None for an empty text.

    Comments and ``---`` before the document are allowed, and lines may end in CRLF.

    Raises:
        MalformedYaml: readers could differ, or it is not YAML.
    """
    unlike = _NOT_ALLOWED.search(text)
    if unlike:
        line = text.count("\n", 0, unlike.start()) + 1
        raise MalformedYaml(f"U+{ord(unlike[0]):04X} is not allowed here.", line)
    return _Reader(text).document()


def is_word(text: str) -> bool:
    """Return whether all readers take a text without quotes for a text."""
    return bool(_WORD.fullmatch(text)) and not is_ambiguous(text)


def is_ambiguous(text: str) -> bool:
    """Return whether a reader could take a text without quotes for another value."""
    return text.lower() in _NOT_TEXT or bool(_NUMERIC.match(text))


def quoted(text: str) -> str:
    """Return a text in double quotes, which JSON and all readers of YAML accept."""
    return _UNSAFE_IN_JSON.sub(
        lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False)
    )


class _Reader:
    """Builds one document from its events."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._events: Iterator[Any] = parse_events(text)

    def document(self) -> Any:
        next(self._events)  # the start of the text
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            return None
        if start.version or start.tags:
            raise MalformedYaml("Directives are not allowed.", line_of(start))
        value = self._value(_plain(next(self._events)), _MAX_DEPTH)
        end = next(self._events)
        if end.explicit or not isinstance(next(self._events), yaml.StreamEndEvent):
            raise MalformedYaml("Nothing may follow the document.", line_of(end))
        return value

    def _value(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if depth == 0:
            raise MalformedYaml("This is nested too deeply.", line_of(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return [self._value(item, depth - 1) for item in self._items(event)]
        return self._mapping(event, depth)

    def _mapping(self, start: Any, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        items = self._items(start)
        for item in items:
            key = self._scalar(item) if isinstance(item, yaml.ScalarEvent) else None
            if not isinstance(key, str) or key == "<<":
                raise MalformedYaml("Only text can be a key.", line_of(item))
            if key in mapping:
                raise MalformedYaml("This key is a duplicate.", line_of(item))
            mapping[key] = self._value(next(items), depth - 1)
        return mapping

    def _items(self, start: Any) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, yaml.CollectionEndEvent):
                return
            if start.flow_style:
                message = "Use indented lines instead of {…} and […]."
                raise MalformedYaml(message, line_of(event))
            yield _plain(event)

    def _scalar(self, event: Any) -> Any:
        source = self._text[event.start_mark.index : event.end_mark.index]
        if source in _CONSTANTS:
            return _CONSTANTS[source]
        if _NUMBER.fullmatch(source) and abs(int(source)) < 2**63:
            return int(source)
        if is_word(source) or _QUOTED.fullmatch(source):
            return event.value
        raise MalformedYaml(
            "Readers of YAML differ on this value. Write numbers in decimal, and text "
            "in double quotes on one line.",
            line_of(event),
        )


def _plain(event: Any) -> Any:
    if isinstance(event, yaml.AliasEvent) or event.anchor or event.tag:
        message = "Anchors, aliases and tags are not allowed."
        raise MalformedYaml(message, line_of(event))
    return event


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        # PyYAML would use escapes that JSON does not have.
        self.write_indicator(quoted(text), need_whitespace=True)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(_TEXT_TAG, text, style='"')


def _number(dumper: yaml.SafeDumper, number: int) -> yaml.ScalarNode:
    if abs(number) >= 2**63:
        raise ValueError("A number has more than 64 bits.")
    return dumper.represent_int(number)


def _mapping(dumper: yaml.SafeDumper, mapping: Mapping[str, Any]) -> yaml.MappingNode:
    node = dumper.represent_mapping("tag:yaml.org,2002:map", mapping)
    for key, _ in node.value:
        if is_word(key.value):
            key.style = None
    return node


# All other types are refused.
_REPRESENTERS: Final[dict[Any, Any]] = {
    NoneType: yaml.SafeDumper.represent_none,
    None: yaml.SafeDumper.represent_undefined,
    bool: yaml.SafeDumper.represent_bool,
    int: _number,
    str: _text,
    list: yaml.SafeDumper.represent_list,
    dict: _mapping,
}
_Dumper.yaml_representers = _REPRESENTERS
