from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from licenses.files.license_keys import license_roots
from portal.crypto.keyring import Keyring, LookupKeyring
from registries.management.commands.init_secrets import write_new
from registries.tokens.signing_keys import SigningKey, load_roots

PROJECT = Path(__file__).resolve().parents[3]
OF_BERTH = {
    *("secret-key", "encryption-keys", "hmac-keys", "identity-keys.pem"),
    *("signing.pem", "root.crt", "offline/root.key"),
    *("license-root.key", "license-root.pem"),
    *("registry-notification-token", "registry-upload-secret", "metrics-token"),
}
OF_SERVERS = {"postgres-password", "database-url", "valkey.conf", "redis-url"}
SERVERS = ("--postgres", "postgres", "--valkey", "cache.internal:6380")


def run(directory: Path, *options: str) -> str:
    output = StringIO()
    call_command("init_secrets", directory, *options, stdout=output)
    return output.getvalue()


def contents(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_it_makes_every_secret_for_its_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"

    output = run(directory, *SERVERS)

    assert set(contents(directory)) == OF_BERTH | OF_SERVERS
    paths = list(directory.rglob("*"))
    modes = {path.stat().st_mode & 0o777 for path in paths if path.is_file()}
    assert modes == {0o600}
    assert {
        path.stat().st_mode & 0o777 for path in (directory, directory / "offline")
    } == {0o700}
    for name, text in contents(directory).items():
        assert name in output
        assert text.strip() not in output


def test_the_files_are_what_the_settings_take(tmp_path: Path, settings: Any) -> None:
    run(tmp_path, *SERVERS)
    made = contents(tmp_path)

    SigningKey.parse(made["signing.pem"])
    load_roots(made["root.crt"])
    settings.BERTH_LICENSE_ROOT_KEY = made["license-root.key"]
    assert license_roots().published() == made["license-root.pem"]
    assert Keyring.parse(made["encryption-keys"]).encrypt("x", associated_data="y")
    assert LookupKeyring.parse(made["hmac-keys"]).digest("x", purpose="y")
    password = made["postgres-password"]
    assert made["database-url"] == f"postgresql://berth:{password}@postgres:5432/berth"
    password = made["valkey.conf"].split()[1]
    assert made["redis-url"] == f"redis://:{password}@cache.internal:6380/0"


def test_a_second_run_keeps_every_file(tmp_path: Path) -> None:
    run(tmp_path, *SERVERS)
    before = contents(tmp_path)

    output = run(tmp_path, *SERVERS)

    assert contents(tmp_path) == before
    assert "Made" not in output


def test_what_is_missing_is_added_later(tmp_path: Path) -> None:
    assert "Write database-url yourself" in run(tmp_path)
    before = contents(tmp_path)
    assert set(before) == OF_BERTH

    output = run(tmp_path, *SERVERS)

    assert contents(tmp_path).items() > before.items()
    assert "Write database-url yourself" not in output


@pytest.mark.parametrize("gone", ["offline/root.key", "license-root.key"])
def test_what_was_moved_to_a_safe_place_is_not_made_again(
    tmp_path: Path, gone: str
) -> None:
    run(tmp_path)
    (tmp_path / gone).unlink()
    before = contents(tmp_path)

    run(tmp_path)

    assert contents(tmp_path) == before


@pytest.mark.parametrize("gone", ["root.crt", "signing.pem", "postgres-password"])
def test_half_of_a_pair_is_refused_before_anything_is_written(
    tmp_path: Path, gone: str
) -> None:
    run(tmp_path, *SERVERS)
    (tmp_path / gone).unlink()
    (tmp_path / "secret-key").unlink()
    before = contents(tmp_path)

    with pytest.raises(CommandError, match=f"{gone}, which belongs to it, is missing"):
        run(tmp_path, *SERVERS)

    assert contents(tmp_path) == before


def test_no_file_is_ever_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"
    path.write_text("the first")

    with pytest.raises(CommandError, match="secret-key cannot be written: File exists"):
        write_new(path, "the second")

    assert contents(tmp_path) == {"secret-key": "the first"}


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CommandError, match="file/secrets/secret-key cannot be written"):
        run(tmp_path / "file/secrets")


def test_it_runs_before_there_are_any_secrets(tmp_path: Path) -> None:
    bare = {"PATH": os.environ["PATH"], "SECRET_KEY_FILE": str(tmp_path / "secret-key")}

    result = subprocess.run(
        [sys.executable, "manage.py", "init_secrets", str(tmp_path)],
        cwd=PROJECT,
        env=bare,
        check=False,
        capture_output=True,
        text=True,
    )

    assert (result.returncode, result.stderr) == (0, "")
    assert set(contents(tmp_path)) == OF_BERTH
