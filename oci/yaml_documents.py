"""YAML documents from untrusted sources, as nodes that know their line.

Source: YAML 1.2, chapter 3 (nodes, anchors and aliases) and "merge keys" of YAML 1.1.

Reads the text event by event, without recursion. Makes no Python objects of it, and
refuses aliases that would grow beyond the limits below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

MAX_BYTES: Final = 1_000_000
MAX_DOCUMENTS: Final = 2_000
# Both count aliases as if written out.
MAX_DEPTH: Final = 100
MAX_NODES: Final = 250_000

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
MERGE: Final = "<<"
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
# Matches an escaped backslash too, so that what follows it is not read as an escape.
_PAIR = re.compile(
    r"\\\\|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
)
# The C parser is fifty times faster, but not every build of PyYAML has it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class MalformedYaml(ValueError):  # noqa: N818  a domain word, read as a sentence
    """The text is not valid. ``line`` counts from 1, and is None if unknown."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(f"Line {line}: {message}" if line else message)
        self.line = line


@dataclass(slots=True, eq=False)
class Scalar:
    """A text. ``is_null`` is true for ``null`` in all its spellings."""

    line: int
    text: str
    is_null: bool
    size: int = 1
    height: int = 0


@dataclass(slots=True, eq=False)
class Sequence:
    line: int
    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 0


@dataclass(slots=True, eq=False)
class Mapping:
    """Keys and values in the text's order, without keys that are not text."""

    line: int
    pairs: list[tuple[str, Node]] = field(default_factory=list)
    size: int = 1
    height: int = 0

    def get(self, key: str) -> Node | None:
        """Return a value: the last one for its key, else a merged one (``<<``)."""
        own = [value for name, value in self.pairs if name == key]
        if own:
            return own[-1]
        values = (mapping.get(key) for mapping in self._merged())
        return next((value for value in values if value is not None), None)

    def text(self, key: str) -> str:
        """Return the text of a value, empty if there is none."""
        value = self.get(key)
        return value.text if isinstance(value, Scalar) and not value.is_null else ""

    def _merged(self) -> Iterator[Mapping]:
        for name, value in self.pairs:
            if name == MERGE:
                values = value.items if isinstance(value, Sequence) else [value]
                yield from (item for item in values if isinstance(item, Mapping))


Node = Scalar | Sequence | Mapping


def yaml_documents(text: str, *, max_bytes: int = MAX_BYTES) -> Iterator[Node]:
    """Yield the root of each document of YAML, which includes JSON.

    Raises:
        MalformedYaml: it is not YAML, or larger, deeper or more entangled than what
            people write.
    """
    _check_text(text, max_bytes)
    if text.lstrip()[:1] in {"{", "["}:
        text = _with_pairs_joined(text)
    number = 0
    events = parse_events(text)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            number += 1
            if number > MAX_DOCUMENTS:
                raise MalformedYaml(
                    f"There are more than {MAX_DOCUMENTS} documents. Give fewer at a "
                    "time.",
                    line_of(event),
                )
            yield _Builder().document(events)


def _check_text(text: str, max_bytes: int) -> None:
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        raise MalformedYaml(
            f"The character U+{ord(unprintable[0]):04X} is not allowed in YAML.",
            text.count("\n", 0, unprintable.start()) + 1,
        )
    if len(text.encode()) > max_bytes:
        raise MalformedYaml(
            f"The text is larger than {max_bytes // 1_000_000} MB. Give a part of it."
        )


def _with_pairs_joined(text: str) -> str:
    r"""Return JSON with whole characters in place of surrogate pairs.

    JSON writes a character beyond U+FFFF as two escapes (RFC 8259, section 7:
    ``\ud83d\ude00``), and YAML allows neither.
    """
    return _JSON_STRING.sub(lambda match: _PAIR.sub(_joined, match[0]), text)


def _joined(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    high, low = int(match[1], 16), int(match[2], 16)
    return chr(0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00)


def parse_events(text: str) -> Iterator[Any]:
    """Yield the parser's events.

    Raises:
        MalformedYaml: it is not YAML.
    """
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"This is not YAML: {(error.problem or 'unreadable').rstrip('.')}."
        if "{{" in text:
            message += " If it is a template, render it first (helm template)."
        raise MalformedYaml(message, mark.line + 1 if mark else None) from error
    except yaml.YAMLError as error:
        raise MalformedYaml("This is not YAML.") from error


def line_of(event: Any) -> int:
    """Return the line where an event starts, from 1."""
    line: int = event.start_mark.line + 1
    return line


class _Builder:
    """Builds the nodes of one document from its events, without recursion."""

    def __init__(self) -> None:
        self._anchors: dict[str, Node] = {}
        self._open: list[tuple[Sequence | Mapping, str | None]] = []
        # Keys of the open mappings without a value so far.
        self._keys: list[Node | None] = []
        self._root: Node | None = None

    def document(self, events: Iterator[Any]) -> Node:
        for event in events:
            if isinstance(event, yaml.DocumentEndEvent):
                break
            self._take(event)
        return self._root or Scalar(1, "", is_null=True)

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            is_null = event.implicit[0] and event.value in _NULLS
            self._finish(Scalar(line_of(event), event.value, is_null), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._put(self._aliased(event), line_of(event))
        elif isinstance(event, yaml.MappingStartEvent):
            self._enter(event, Mapping(line_of(event)))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._enter(event, Sequence(line_of(event)))
        else:
            node, anchor = self._open.pop()
            self._keys.pop()
            self._finish(node, anchor)

    def _enter(self, event: Any, node: Sequence | Mapping) -> None:
        self._check_depth(1, node.line)
        self._anchors.pop(event.anchor, None)
        self._open.append((node, event.anchor))
        self._keys.append(None)

    def _finish(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        self._put(node, node.line)

    def _aliased(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            inside = any(anchor == event.anchor for _, anchor in self._open)
            what = "contains itself" if inside else "is not defined above"
            raise MalformedYaml(f"The anchor &{event.anchor} {what}.", line_of(event))
        self._check_depth(node.height, line_of(event))
        return node

    def _put(self, node: Node, line: int) -> None:
        if not self._open:
            self._root = node
            return
        parent, _ = self._open[-1]
        parent.height = max(parent.height, node.height + 1)
        parent.size += node.size
        if parent.size > MAX_NODES:
            raise MalformedYaml(
                f"This document has more than {MAX_NODES} values, aliases included.",
                line,
            )
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return
        key, self._keys[-1] = self._keys[-1], None
        if key is None:
            self._keys[-1] = node
        elif isinstance(key, Scalar):
            parent.pairs.append((key.text, node))

    def _check_depth(self, below: int, line: int) -> None:
        if len(self._open) + below > MAX_DEPTH:
            raise MalformedYaml(f"This is nested deeper than {MAX_DEPTH} levels.", line)
