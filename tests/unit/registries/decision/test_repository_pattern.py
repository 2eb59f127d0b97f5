"""Patterns of repositories match as shells' do, at any length in little time."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registries.decision.repository_pattern import matches


@given(st.text("ab/?*", max_size=9), st.text("ab/", max_size=9))
def test_a_pattern_matches_as_in_a_shell(pattern: str, repository: str) -> None:
    assert matches(pattern, repository) == fnmatchcase(repository, pattern)


@pytest.mark.parametrize(
    ("pattern", "repository"),
    [
        ("*", ""),
        ("*", "my-org/api"),
        ("my-org/*", "my-org/team/api"),
        ("my-org/*-api", "my-org/a-api"),
        ("*/api", "my-org/api"),
        ("*a?c*", "xxabcxx"),
        ("my-org/api", "my-org/api"),
    ],
)
def test_a_repository_is_matched(pattern: str, repository: str) -> None:
    assert matches(pattern, repository)
    assert not matches(f"{pattern}?!", repository)


@pytest.mark.parametrize("pattern", ["*a" * 127 + "b", "*" + "?a" * 126 + "b*"])
def test_a_pattern_that_is_made_to_take_long_does_not(pattern: str) -> None:
    """Decisions are made in the edge's event loop."""
    patterns = [pattern[:-4] + f"{number:04}" + "*" for number in range(1000)]
    began = time.process_time()

    assert not any(matches(item, "a" * 255) for item in patterns)

    assert time.process_time() - began < 1
