"""A pull credential in place of the license ID, and its renewal by ``sync``."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.installer.command import Installer, Outcome
from tests.support.installer.licenses import (
    LICENSE_ID,
    Signer,
    document,
    license_yaml,
    write_license,
)
from tests.support.installer.servers import Server, server
from tests.support.servers.canned_server import Answer, Request

OLD, NEW = (f"berth_pull_{letter * 12}_{letter * 49}" for letter in "on")
VARIABLE = "BERTH_PULL_CREDENTIAL"
Sync = Callable[..., Outcome]


def login(secret: str) -> str:
    return base64.b64encode(f"license:{secret}".encode()).decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "credential"
    path.write_text(f"{OLD}\n")
    path.chmod(0o640)
    return path


def passwords(outcome: Outcome) -> set[str]:
    secret = yaml.safe_load(outcome.out)
    config = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    return {entry["auth"] for entry in config["auths"].values()}


def test_the_pull_secret_has_the_credential_of_the_file(
    installer: Installer, license: Path, file: Path
) -> None:
    outcome = installer("secret", "--license", license, "--credential-file", file)

    assert (outcome.code, passwords(outcome)) == (0, {login(OLD)})


def test_the_environment_has_one_too_and_the_option_wins(
    installer: Installer, license: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, NEW)

    assert passwords(installer("secret", "--license", license)) == {login(NEW)}
    by_option = installer("secret", "--license", license, "--credential-file", file)
    assert passwords(by_option) == {login(OLD)}
    monkeypatch.setenv(VARIABLE, "")
    assert passwords(installer("secret", "--license", license)) == {login(LICENSE_ID)}


@pytest.mark.parametrize(
    "text", ["", LICENSE_ID, OLD[:-1], f"{OLD}x", "\u00e4", OLD * 2]
)
def test_what_is_no_credential_is_refused_and_not_printed(
    installer: Installer, license: Path, file: Path, text: str
) -> None:
    file.write_text(text)

    outcome = installer("secret", "--license", license, "--credential-file", file)

    assert outcome.code == 2
    assert f"{file} has no pull credential" in outcome.err
    assert not text or text not in outcome.out + outcome.err


def test_a_missing_file_is_told(
    installer: Installer, license: Path, tmp_path: Path
) -> None:
    outcome = installer(
        *("secret", "--license", license, "--credential-file", tmp_path / "none")
    )

    assert outcome.code == 2
    assert "none cannot be read" in outcome.err


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def root(tmp_path: Path, signer: Signer) -> Path:
    path = tmp_path / "root.pem"
    path.write_text(signer.root_pem)
    return path


@pytest.fixture
def license(tmp_path: Path, signer: Signer) -> Path:
    return write_license(tmp_path, signer.signed(document()))


@contextmanager
def portal(
    signer: Signer, *, days: float | None, can_rotate: bool = True
) -> Iterator[Server]:
    """A portal whose credential lasts 90 days, of which some are left."""
    now = datetime.now(UTC)
    end = None if days is None else now + timedelta(days=days)
    created = now - timedelta(days=90 - (days or 0))
    held = {
        "name": "cluster",
        "created_at": created.isoformat(),
        "expires_at": end and end.isoformat(),
        "can_rotate": can_rotate,
    }

    def respond(request: Request) -> Answer:
        json_type = {"Content-Type": "application/json"}
        if request.path.endswith("/rotate"):
            return Answer(201, json_type, json.dumps({"credential": NEW}).encode())
        if request.path.endswith("/file"):
            sent = base64.b64decode(request.headers["Authorization"][6:]).decode()
            secret = sent.partition(":")[2]
            signed = signer.signed(document(licenseID=secret))
            content = license_yaml(signed).encode()
            return Answer(200, {"Content-Type": "text/plain; charset=utf-8"}, content)
        return Answer(200, json_type, json.dumps({"pull_credential": held}).encode())

    with server(respond) as state:
        yield state


@pytest.fixture
def sync(installer: Installer, license: Path, root: Path) -> Sync:
    def run(host: str, *more: str | Path) -> Outcome:
        return installer(
            *("sync", "--license", license, "--root-key", root, *more),
            *("--portal", f"http://{host}", "--plain-http", host, "-o", "json"),
        )

    return run


def notes(outcome: Outcome) -> str:
    assert outcome.code == 0, outcome.out
    assert NEW not in outcome.out + outcome.err
    found: Any = outcome.document["notes"]
    return " ".join(found)


def asked(state: Server) -> list[str]:
    return [request.path.removeprefix("/api/v1/license") for request in state.requests]


def license_id(license: Path) -> str:
    return str(yaml.safe_load(license.read_text())["spec"]["licenseID"])


def test_sync_renews_the_credential_in_the_file_first(
    sync: Sync, signer: Signer, file: Path, license: Path
) -> None:
    with portal(signer, days=29) as state:
        outcome = sync(state.host, "--credential-file", file)

    assert "so it was replaced" in notes(outcome)
    assert asked(state) == ["", "/pull-credential/rotate", "/file"]
    rotate, last = state.requests[1:]
    assert rotate.headers["Authorization"] == f"Basic {login(OLD)}"
    assert OLD not in rotate.headers["Idempotency-Key"]
    assert last.headers["Authorization"] == f"Basic {login(NEW)}"
    assert file.read_text() == f"{NEW}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert license_id(license) == NEW


def test_a_repeated_renewal_asks_for_the_same_again(
    sync: Sync, signer: Signer, file: Path
) -> None:
    keys = []
    for _ in range(2):
        file.write_text(OLD)
        with portal(signer, days=1) as state:
            sync(state.host, "--credential-file", file)
        keys.append(state.requests[1].headers["Idempotency-Key"])

    assert keys[0] == keys[1]


def test_sync_renews_the_credential_in_the_license_file(
    sync: Sync, signer: Signer, license: Path, tmp_path: Path
) -> None:
    write_license(tmp_path, signer.signed(document(licenseID=OLD)))

    with portal(signer, days=1) as state:
        outcome = sync(state.host)

    assert "so it was replaced" in notes(outcome)
    assert license_id(license) == NEW


@pytest.mark.parametrize("days", [31, 89, None])
def test_a_credential_with_more_than_a_third_left_stays(
    sync: Sync, signer: Signer, file: Path, days: float | None
) -> None:
    with portal(signer, days=days) as state:
        outcome = sync(state.host, "--credential-file", file)

    assert notes(outcome) == ""
    assert asked(state) == ["", "/file"]
    assert file.read_text() == f"{OLD}\n"


def test_sync_says_when_it_ends_if_it_may_not_renew_it(
    sync: Sync,
    signer: Signer,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with portal(signer, days=1, can_rotate=False) as state:
        by_file = notes(sync(state.host, "--credential-file", file))
    assert asked(state) == ["", "/file"]
    assert "Ask your vendor for another one." in by_file

    monkeypatch.setenv(VARIABLE, OLD)
    with portal(signer, days=1) as state:
        by_variable = notes(sync(state.host))
    assert asked(state) == ["", "/file"]
    assert "Give it with --credential-file" in by_variable
    assert file.read_text() == f"{OLD}\n"
