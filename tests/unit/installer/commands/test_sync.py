"""``sync`` replaces the file only with a genuine and newer one."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.installer.command import Installer, Outcome
from tests.support.installer.licenses import (
    LICENSE_ID,
    Signer,
    document,
    license_yaml,
    other_signer,
    write_license,
)
from tests.support.installer.servers import closed_port, server
from tests.support.servers.canned_server import Answer

YAML = {"Content-Type": "text/plain; charset=utf-8"}
Sync = Callable[[Answer], Outcome]


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def license(tmp_path: Path, signer: Signer) -> Path:
    path = write_license(tmp_path, signer.signed(document()))
    path.chmod(0o640)
    return path


@pytest.fixture
def root(tmp_path: Path, signer: Signer) -> Path:
    path = tmp_path / "root.pem"
    path.write_text(signer.root_pem)
    return path


@pytest.fixture
def sync(installer: Installer, license: Path, root: Path) -> Sync:
    def run(answer: Answer) -> Outcome:
        with server(lambda _request: answer) as portal:
            outcome = installer(
                *("sync", "--license", license, "--root-key", root),
                *("--portal", f"http://{portal.host}", "--plain-http", portal.host),
                *("--format", "json"),
            )
        (request,) = portal.requests
        assert (request.method, request.path) == ("GET", "/api/v1/license/file")
        login = base64.b64encode(f"license:{LICENSE_ID}".encode()).decode()
        assert request.headers["Authorization"] == f"Basic {login}"
        assert LICENSE_ID not in outcome.out + outcome.err
        return outcome

    return run


def problem(status: int, code: str, detail: str) -> Answer:
    content = json.dumps({"status": status, "code": code, "detail": detail}).encode()
    return Answer(status, {"Content-Type": "application/problem+json"}, content)


def test_a_newer_license_replaces_the_file(
    sync: Sync, signer: Signer, license: Path
) -> None:
    newer = license_yaml(signer.signed(document(licenseSequence=8))).encode()

    outcome = sync(Answer(200, YAML, newer))

    assert (outcome.code, outcome.document["changed"]) == (0, True)
    assert license.read_bytes() == newer
    assert stat.S_IMODE(license.stat().st_mode) == 0o640
    assert sorted(item.name for item in license.parent.iterdir()) == [
        "license.yaml",
        "root.pem",
    ]


def test_the_same_license_changes_nothing(
    sync: Sync, signer: Signer, license: Path
) -> None:
    before = license.stat()

    outcome = sync(Answer(200, YAML, license.read_bytes()))

    assert (outcome.code, outcome.document["changed"]) == (0, False)
    assert license.stat() == before


def test_new_signatures_on_the_same_license_change_nothing(
    sync: Sync, signer: Signer, license: Path
) -> None:
    before = license.read_bytes()
    again = license_yaml(signer.signed(document())).encode()
    assert again != before

    outcome = sync(Answer(200, YAML, again))

    assert (outcome.code, outcome.document["changed"]) == (0, False)
    assert license.read_bytes() == before


def test_a_file_with_invalid_signatures_is_replaced(
    sync: Sync, signer: Signer, license: Path, tmp_path: Path
) -> None:
    write_license(tmp_path, document())
    again = license_yaml(signer.signed(document())).encode()

    outcome = sync(Answer(200, YAML, again))

    assert (outcome.code, outcome.document["changed"]) == (0, True)
    assert license.read_bytes() == again


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"licenseSequence": 6}, "older_license"),
        ({"appSlug": "other-app", "licenseSequence": 8}, "other_application"),
    ],
)
def test_a_genuine_license_that_is_not_newer_is_refused(
    sync: Sync, signer: Signer, license: Path, changes: dict[str, object], code: str
) -> None:
    before = license.read_bytes()
    content = license_yaml(signer.signed(document(**changes))).encode()

    outcome = sync(Answer(200, YAML, content))

    assert (outcome.code, outcome.document["error"]["code"]) == (1, code)
    assert "old file is kept" in outcome.document["error"]["message"]
    assert license.read_bytes() == before


def test_a_license_that_does_not_verify_is_refused(sync: Sync, license: Path) -> None:
    before = license.read_bytes()
    forged = other_signer().signed(document(licenseSequence=8))

    outcome = sync(Answer(200, YAML, license_yaml(forged).encode()))

    assert (outcome.code, outcome.document["error"]["code"]) == (1, "wrong_root_key")
    assert license.read_bytes() == before


@pytest.mark.parametrize(
    ("answer", "exit_code", "code", "says"),
    [
        (
            problem(403, "license_revoked", "It was revoked."),
            1,
            "license_revoked",
            "It",
        ),
        (problem(401, "credential_unknown", "No such."), 1, "credential_unknown", "No"),
        (problem(429, "too_many_requests", "Wait."), 5, "too_many_requests", "Wait."),
        (problem(500, "server", "Broken."), 5, "server", "Broken."),
        (Answer(403, {}, b"<html>Cloudflare"), 5, "bad_answer", "returned 403"),
        (Answer(404), 5, "bad_answer", "returned 404"),
        (Answer(302, {"Location": "/sign-in"}), 5, "bad_answer", "returned 302"),
        (
            Answer(200, {"Content-Type": "text/html"}, b"<html>Sign in"),
            5,
            "bad_answer",
            "sign-in page",
        ),
        (Answer(200, YAML, b"<html>Sign in"), 1, "not_yaml", "is a web page"),
        (Answer(200, YAML, b"a: 1\na: 2"), 1, "not_yaml", "Line 2: This key is a dup"),
        (Answer(200, YAML, b'a: !!int ""'), 1, "not_yaml", "Line 1: Anchors, al"),
        (Answer(200, YAML, b"a: !!bool maybe"), 1, "not_yaml", "Line 1: Anchors, al"),
        (Answer(200, YAML, b"a: !!timestamp x"), 1, "not_yaml", "Line 1: Anchors, al"),
        (Answer(200, YAML, b"kind: Pod"), 1, "not_a_license", "not a license"),
        (Answer(200, YAML, b""), 1, "not_a_license", "not a license"),
    ],
)
def test_unexpected_responses_are_reported_and_keep_the_file(
    sync: Sync, license: Path, answer: Answer, exit_code: int, code: str, says: str
) -> None:
    before = license.read_bytes()

    outcome = sync(answer)

    assert (outcome.code, outcome.document["error"]["code"]) == (exit_code, code)
    assert says in outcome.document["error"]["message"]
    assert license.read_bytes() == before


def test_an_unreachable_portal(installer: Installer, license: Path, root: Path) -> None:
    host = closed_port()

    outcome = installer(
        *("sync", "--license", license, "--root-key", root),
        *("--portal", f"http://{host}", "--plain-http", host),
    )

    assert outcome == Outcome(5, "", f"Error: {host} cannot be reached.\n")


def test_the_license_is_not_sent_without_tls(
    installer: Installer, license: Path, root: Path
) -> None:
    with server(lambda _request: Answer(404)) as portal:
        outcome = installer(
            *("sync", "--license", license, "--root-key", root),
            *("--portal", f"http://{portal.host}"),
        )

    assert outcome.code == 5
    assert "without TLS" in outcome.err
    assert portal.requests == []


def test_a_license_that_names_no_portal_needs_one(
    installer: Installer, license: Path, root: Path
) -> None:
    outcome = installer("sync", "--license", license, "--root-key", root)

    assert outcome.code == 2
    assert "--portal" in outcome.err


@pytest.mark.parametrize(
    "url", ["berth.test", "ftp://berth.test", "https://a:b@berth.test"]
)
def test_an_invalid_portal_address_is_a_usage_error(
    installer: Installer, license: Path, root: Path, url: str
) -> None:
    outcome = installer(
        "sync", "--license", license, "--root-key", root, "--portal", url
    )

    assert outcome.code == 2
    assert "portal address" in outcome.err
    assert url not in outcome.err


def test_the_portal_that_the_license_names_is_asked(
    installer: Installer, signer: Signer, root: Path, tmp_path: Path
) -> None:
    with server(lambda _request: problem(403, "license_expired", "Over.")) as portal:
        named = signer.signed(document(endpoint=f"http://{portal.host}/"))
        license = write_license(tmp_path, named)
        outcome = installer(
            *("sync", "--license", license, "--root-key", root),
            *("--plain-http", portal.host),
        )

    assert outcome == Outcome(1, "", "Error: Over.\n")


def test_another_license_is_refused(sync: Sync, signer: Signer, license: Path) -> None:
    before = license.read_bytes()
    other = document() | {"metadata": {"name": "my-app-globex"}}

    outcome = sync(Answer(200, YAML, license_yaml(signer.signed(other)).encode()))

    assert (outcome.code, outcome.document["error"]["code"]) == (1, "other_license")
    assert license.read_bytes() == before


def test_a_replaced_license_id_is_followed(
    sync: Sync, signer: Signer, license: Path
) -> None:
    changes = {"licenseID": "3d9IhUr1W6zXo4SlMn8YaC5qEt2", "licenseSequence": 8}
    newer = license_yaml(signer.signed(document(**changes))).encode()

    outcome = sync(Answer(200, YAML, newer))

    assert (outcome.code, outcome.document["changed"]) == (0, True)
    assert license.read_bytes() == newer
