from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import yaml

from deploy.chart_values import (
    CHART,
    TABLE,
    Undocumented,
    current_table,
    documented_values,
)

DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
NEEDED = {
    "hosts": {"portal": "portal.example.com", "proxy": "proxy.example.com:8443"},
    "image": {"repository": "registry.example.com/berth"},
}


def merged(changes: dict[str, Any], defaults: Any = DEFAULTS) -> dict[str, Any]:
    """Return values as Helm does with a file of changes."""
    result = dict(defaults)
    for name, value in changes.items():
        old = result.get(name)
        is_map = isinstance(value, dict) and isinstance(old, dict)
        result[name] = merged(value, old) if is_map else value
    return result


def problems(*changes: dict[str, Any]) -> list[str]:
    values = DEFAULTS
    for each in changes:
        values = merged(each, values)
    return [
        f"{'.'.join(map(str, error.instance_path))}: {error.message}"
        for error in jsonschema_rs.Draft7Validator(SCHEMA).iter_errors(values)
    ]


def test_the_schema_is_valid() -> None:
    assert jsonschema_rs.meta.is_valid(SCHEMA)


def test_the_defaults_lack_only_what_is_required() -> None:
    assert {each.partition(":")[0] for each in problems()} == {
        "hosts.portal",
        "hosts.proxy",
        "image.repository",
    }
    assert problems(NEEDED) == []


@pytest.mark.parametrize("path", sorted(CHART.glob("ci/*.yaml")), ids=lambda p: p.name)
def test_the_examples_are_accepted(path: Any) -> None:
    assert problems(yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"edge": {"replica": 3}}, "edge"),
        ({"egde": {}}, ""),
        ({"edge": {"replicas": "3"}}, "edge.replicas"),
        ({"edge": {"replicas": 0}}, "edge.replicas"),
        ({"hosts": {"portal": "https://portal.example.com"}}, "hosts.portal"),
        ({"hosts": {"proxy": "Proxy.example.com"}}, "hosts.proxy"),
        ({"hosts": {"registry": "registry.example.com/v2"}}, "hosts.registry"),
        ({"scheme": "HTTPS"}, "scheme"),
        ({"image": {"digest": "sha256:12"}}, "image.digest"),
        ({"image": {"repository": "berth@sha256:12"}}, "image.repository"),
        ({"podNetworks": ["10.0.0.0"]}, "podNetworks.0"),
        ({"podNetworks": []}, "podNetworks"),
        ({"trustedProxies": "10.0.0.0/8"}, "trustedProxies"),
        ({"env": {"log_level": "DEBUG"}}, "env"),
        ({"edge": {"cache": {"size": "60G"}}}, "edge.cache.size"),
        ({"edge": {"nginx": {"image": "nginx"}}}, "edge.nginx.image"),
        ({"edge": {"resources": {"limit": {}}}}, "edge.resources"),
        ({"ports": {"edge": 80}}, "ports.edge"),
        ({"registry": {"storage": "nfs"}}, "registry.storage"),
        ({"registry": {"url": "distribution:5000"}}, "registry.url"),
        ({"service": {"type": "LoadBalancerr"}}, "service.type"),
        ({"secrets": {"existingSecret": "My Secret"}}, "secrets.existingSecret"),
        ({"monitoring": {"repositoryUrl": "docs/"}}, "monitoring.repositoryUrl"),
    ],
)
def test_a_mistake_is_refused_where_it_is(changes: dict[str, Any], path: str) -> None:
    assert [each.partition(":")[0] for each in problems(NEEDED, changes)] == [path]


def test_the_schema_has_each_value_and_no_other() -> None:
    assert sorted(_paths_of_schema(SCHEMA)) == sorted(
        [*_paths_of_values(DEFAULTS), "global"]
    )


def _paths_of_schema(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    if path.endswith(("resources", "podSpec")) or "properties" not in schema:
        yield path
        return
    for name, inner in schema["properties"].items():
        yield from _paths_of_schema(inner, f"{path}.{name}".strip("."))


def _paths_of_values(values: Any, path: str = "") -> Iterator[str]:
    if path.endswith("resources") or not isinstance(values, dict) or not values:
        yield path
        return
    for name, inner in values.items():
        yield from _paths_of_values(inner, f"{path}.{name}".strip("."))


def test_the_table_is_current() -> None:
    assert TABLE.read_text() == current_table(), "Run python -m deploy.chart_values."


def test_a_value_without_a_comment_is_noticed() -> None:
    text = "# Not of a value.\n\na:\n  # One.\n  b: 1\n  c: 2\n"
    with pytest.raises(Undocumented, match=r"a\.c has no comment"):
        documented_values(text)


def test_a_comment_documents_all_that_is_in_a_value() -> None:
    text = "# First.\n# Second.\na:\n  b: 1\n  c: [2]\n# Last.\nd: {}\n"
    assert [
        (item.path, item.default, item.meaning) for item in documented_values(text)
    ] == [("a", "`{b: 1, c: [2]}`", "First. Second."), ("d", "none", "Last.")]
