"""What generators of clients need of the OpenAPI document (ADR 63)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.conf import settings

from tests.integration.test_outsiders import ACTION, LIST, OBJECT, address, every
from tests.support.clients.api import ApiClient
from tests.support.rows.world import make_world


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    text = (settings.BASE_DIR / "docs/api/openapi.yaml").read_bytes()
    read: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)
    return read


def parts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from parts(part)
    if isinstance(value, list):
        for part in value:
            yield from parts(part)


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for path in document["paths"].values() for one in path.values()]


def schemas_in(document: dict[str, Any], part: object) -> set[str]:
    """Return the names of the schemas that a part refers to, however deep."""
    found: set[str] = set()
    for inner in parts(part):
        name = str(inner.get("$ref", "")).rpartition("/")[2]
        if name and name not in found:
            found.add(name)
            found |= schemas_in(document, document["components"]["schemas"][name])
    return found


def test_every_operation_describes_its_failures(document: dict[str, Any]) -> None:
    assert document["servers"][0]["url"] == "/"
    for operation in operations(document):
        answers = operation["responses"]
        assert {"429", "4XX", "5XX"} <= answers.keys(), operation["operationId"]


def test_no_schema_is_a_choice_or_marked(document: dict[str, Any]) -> None:
    for part in parts(document["components"]["schemas"]):
        assert not {"oneOf", "anyOf", "readOnly", "writeOnly"} & part.keys()


def test_what_is_received_is_never_sent_and_is_whole(document: dict[str, Any]) -> None:
    sent = schemas_in(
        document, [one.get("requestBody", {}) for one in operations(document)]
    )
    received = schemas_in(document, [one["responses"] for one in operations(document)])
    schemas = document["components"]["schemas"]
    both = sent & received

    assert [name for name in both if "enum" not in schemas[name]] == []
    for name in received - {"Problem"}:
        fields = schemas[name].get("properties", {}).keys() - {"total"}
        assert fields == set(schemas[name].get("required", [])) - {"total"}, name


def test_names_are_such_as_people_choose(document: dict[str, Any]) -> None:
    names = document["components"]["schemas"]
    ids = [operation["operationId"] for operation in operations(document)]

    assert [name for name in names if name.endswith(("Enum", "RequestRequest"))] == []
    assert len(set(ids)) == len(ids)
    assert {"customers_list", "licenses_create", "applications_restore"} <= set(ids)
    assert {"held_license_read", "licenses_pull_credentials_list"} <= set(ids)


def test_an_etag_is_sent_where_it_is_described(
    document: dict[str, Any], owner_api: ApiClient
) -> None:
    world = make_world(owner_api.team)
    described, sent = set(), set()
    for route, method in every(LIST, OBJECT, ACTION):
        path = f"/api/v1/{re.sub('<[a-z]+:', '{', route).replace('>', '}')}"
        if method != "get" or path not in document["paths"]:
            continue
        answers = document["paths"][path]["get"]["responses"]
        if "ETag" in answers["200"].get("headers", {}):
            described.add(path)
            answer = owner_api.get(address(route, world.ids))
            sent |= {path} if answer.headers.get("ETag") else set()

    assert described == sent
    assert {"/api/v1/team", "/api/v1/customers/{customer_id}"} <= described


def test_yaml_is_a_text(document: dict[str, Any]) -> None:
    kinds = {
        kind: content["schema"]
        for operation in operations(document)
        for answer in operation["responses"].values()
        for kind, content in answer.get("content", {}).items()
    }

    assert kinds.keys() == {
        "application/json",
        "application/problem+json",
        "text/plain",
    }
    assert kinds["text/plain"] == {"type": "string"}
