"""What is kept under one right to pull cannot be reached with another."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace

from edge.cache.place import Place, place_of
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.pull import AllowedPull
from tests.support.rows.facts import connected_registry

CREDENTIAL, REGISTRY = uuid.uuid4(), uuid.uuid4()


def place(
    *,
    credential: uuid.UUID = CREDENTIAL,
    registry: uuid.UUID = REGISTRY,
    patterns: tuple[str, ...] = ("*",),
    repository: str = "org/api",
) -> Place:
    connected = replace(connected_registry(credential), id=registry, patterns=patterns)
    return place_of(
        AllowedPull(
            uuid.uuid4(),
            Subject(SubjectKind.LICENSE, uuid.uuid4()),
            repository,
            (),
            connected,
        )
    )


def test_it_names_the_registry_and_a_right() -> None:
    org_api = place()

    assert org_api.registry_id == str(REGISTRY)
    assert re.fullmatch("[0-9a-f]{32}", org_api.right)
    assert str(org_api) == str(org_api.path) == f"{REGISTRY}/{org_api.right}"


def test_two_licenses_with_the_same_right_share_a_place() -> None:
    assert place() == place()
    assert place(patterns=("a", "b")) == place(patterns=("b", "a"))


def test_another_right_has_another_place() -> None:
    places = {
        place(),
        place(credential=uuid.uuid4()),
        place(registry=uuid.uuid4()),
        place(patterns=("*", "org/*")),
        place(patterns=("*,org/*",)),
        place(patterns=("org/*",)),
        place(repository="org/other"),
    }

    assert len(places) == 7
