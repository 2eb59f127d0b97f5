"""What all measurements share: requests for wrk, figures in files, older revisions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.harness.errors import BenchError
from bench.harness.load import Request
from bench.harness.report import write_json
from bench.revisions.tree import unpack_revision


def test_a_request_is_a_line_with_its_query_and_headers() -> None:
    headers = {"Accept": "*/*", "Authorization": "Bearer x"}
    request = Request("http://localhost:1/v2/token?scope=a:b", headers)

    assert request.line == (
        "/v2/token?scope=a:b\tAccept: */*\tAuthorization: Bearer x\n"
    )


def test_a_report_replaces_its_own_figures_only(tmp_path: Path) -> None:
    file = tmp_path / "performance.json"
    for name, figure in (("pulls", 1), ("pages", 2), ("pulls", 3)):
        write_json(file, name, {"figure": figure})

    assert json.loads(file.read_text()) == {
        "pages": {"figure": 2},
        "pulls": {"figure": 3},
    }


def test_a_missing_revision_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="revision no-such-revision are missing"):
        unpack_revision("no-such-revision", tmp_path)
