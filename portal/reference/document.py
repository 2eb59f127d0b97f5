"""Reads the OpenAPI document into what the pages of the REST API show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

JSON = "application/json"
_TITLES = {"api-tokens": "API tokens"}
# Every operation has these answers, which the first page describes.
_OF_ALL = frozenset({"4XX", "429", "5XX"})
_MAX_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a value of a body; ``a[].b`` is b of each item of the list a."""

    name: str
    kind: str
    is_required: bool
    text: SafeString


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent, or received with a status; ``kind`` is the name of the schema."""

    status: str
    kind: str
    text: SafeString
    fields: list[Field]
    examples: list[str]


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    title: SafeString
    text: SafeString
    login: str
    parameters: list[Field]
    body: Body | None
    answers: list[Body]


@dataclass(frozen=True, slots=True)
class Section:
    """The operations below one path."""

    name: str
    title: str
    operations: list[Operation]


@dataclass(frozen=True, slots=True)
class Reference:
    """The whole document."""

    text: SafeString
    sections: dict[str, Section]


def document_text() -> bytes:
    """Return the OpenAPI document as ``make openapi`` wrote it."""
    return (settings.BASE_DIR / "docs/api/openapi.yaml").read_bytes()


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    # By libyaml: in Python alone, it takes over a second.
    read: dict[str, Any] = yaml.load(document_text(), yaml.CSafeLoader)
    return read


@cache
def reference() -> Reference:
    """Return what pages show, made once for each process."""
    operations: dict[str, list[Operation]] = {}
    for path, methods in document()["paths"].items():
        for method, described in methods.items():
            found = operations.setdefault(described["tags"][0], [])
            found.append(_operation(method, path, described))
    sections = {
        name: Section(name, _title(name), found)
        for name, found in sorted(operations.items())
    }
    return Reference(_paragraphs(document()["info"]["description"]), sections)


def _marked(text: str) -> SafeString:
    """Return a text as HTML: what is between backticks is code."""
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<code>{}</code>", part) if at % 2 else part,)
            for at, part in enumerate(text.split("`"))
        ),
    )


def _paragraphs(text: str) -> SafeString:
    parts = ((_marked(part),) for part in text.split("\n\n") if part)
    return format_html_join("", "<p>{}</p>", parts)


def _title(name: str) -> str:
    return _TITLES.get(name) or name.replace("-", " ").capitalize()


def _operation(method: str, path: str, described: Mapping[str, Any]) -> Operation:
    title, _, text = described.get("description", "").partition("\n\n")
    if "." in title.rstrip("."):
        title, _, rest = title.partition(". ")
        text = f"{rest}\n\n{text}".strip()
    sent = described.get("requestBody")
    return Operation(
        id=described["operationId"],
        method=method.upper(),
        path=path,
        title=_marked(title.rstrip(".")),
        text=_paragraphs(text),
        login=_login(described.get("security", [])),
        parameters=[_parameter(each) for each in described.get("parameters", [])],
        body=_body("", sent) if sent else None,
        answers=[
            _body(status, answer)
            for status, answer in described["responses"].items()
            if status not in _OF_ALL
        ],
    )


def _login(security: list[dict[str, Any]]) -> str:
    schemes = {name for choice in security for name in choice}
    if not schemes:
        return "No login"
    if "licenseId" in schemes:
        return "HTTP Basic, with a license ID or pull credential as the password"
    return "Bearer, with an API token"


def _parameter(described: Mapping[str, Any]) -> Field:
    where = {"query": "query", "path": "path", "header": "header"}[described["in"]]
    return Field(
        described["name"],
        f"{where}, {_kind(described['schema'])}",
        described.get("required", False),
        _marked(described.get("description", "")),
    )


def _body(status: str, described: Mapping[str, Any]) -> Body:
    contents: Mapping[str, Any] = described.get("content") or {"": {}}
    [(media, content)] = contents.items()
    schema = content.get("schema", {})
    examples = [
        json.dumps(each["value"], indent=2, ensure_ascii=False)
        for each in content.get("examples", {}).values()
    ]
    kind = _kind(schema) if media == JSON else media
    text = _marked(described.get("description", ""))
    return Body(status, kind, text, list(_fields(schema)), examples)


def _fields(
    schema: Mapping[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[Field]:
    whole = _resolved(schema)
    for name, value in whole.get("properties", {}).items():
        yield Field(
            prefix + name,
            _kind(value),
            name in whole.get("required", []),
            _marked(value.get("description", "")),
        )
        inner, mark = (value["items"], "[]") if "items" in value else (value, "")
        if depth < _MAX_DEPTH:
            yield from _fields(inner, f"{prefix}{name}{mark}.", depth + 1)


def _kind(schema: Mapping[str, Any]) -> str:
    """Return the type of a value in words, such as ``date-time or null``."""
    if "items" in schema:
        kind = f"list of {_kind(schema['items'])}"
    elif choices := _resolved(schema).get("enum"):
        kind = " | ".join(choices)
    elif name := _name(schema):
        kind = name
    else:
        kind = schema.get("format") or schema.get("type") or "any JSON"
    return f"{kind} or null" if schema.get("nullable") else kind


def _name(schema: Mapping[str, Any]) -> str:
    """Return the name of the schema that this one refers to, or ""."""
    reference = schema.get("$ref") or schema.get("allOf", [{}])[0].get("$ref", "")
    return str(reference).rpartition("/")[2]


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = _name(schema)
    resolved: Mapping[str, Any] = (
        document()["components"]["schemas"][name] if name else schema
    )
    return resolved
