from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
import urllib3
from django.core.management import CommandError, call_command

from deploy.local.process import free_port
from deploy.local.registry import TokenAuth, start_registry
from registries.tokens.registry_token import ISSUER, TokenIssuer
from registries.tokens.signing_keys import SigningKey, is_issued_by, load_roots

SERVICE = "berth-registry"
# Distribution takes a token this long after it expired.
LEEWAY = timedelta(seconds=60)
LIFETIME = timedelta(seconds=60)


def create(directory: Path, *options: str) -> None:
    call_command("create_signing_keys", str(directory), *options, stdout=StringIO())


def test_keys_are_private_and_fit_together(tmp_path: Path) -> None:
    create(tmp_path / "keys")

    key = SigningKey.parse((tmp_path / "keys/signing.pem").read_text())
    roots = load_roots((tmp_path / "keys/root.crt").read_text())
    assert is_issued_by(key.certificate, roots, key.certificate.not_valid_before_utc)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "keys").iterdir()
    }
    assert modes == {"root.key": 0o600, "root.crt": 0o600, "signing.pem": 0o600}


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    create(tmp_path)
    before = (tmp_path / "signing.pem").read_text()

    with pytest.raises(CommandError, match="nothing was written"):
        create(tmp_path)

    assert (tmp_path / "signing.pem").read_text() == before


def test_renew_changes_the_leaf_alone(tmp_path: Path) -> None:
    create(tmp_path)
    root, leaf = ((tmp_path / name).read_text() for name in ("root.crt", "signing.pem"))

    create(tmp_path, "--renew")

    assert (tmp_path / "root.crt").read_text() == root
    assert (tmp_path / "signing.pem").read_text() != leaf
    key = SigningKey.parse((tmp_path / "signing.pem").read_text())
    assert is_issued_by(
        key.certificate, load_roots(root), key.certificate.not_valid_before_utc
    )


def test_renew_without_a_root_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="The root cannot be used"):
        create(tmp_path, "--renew")

    assert list(tmp_path.iterdir()) == []


def test_a_leaf_that_is_replaced_keeps_its_owner(tmp_path: Path) -> None:
    create(tmp_path)
    # Only root may give a file away; for others the owner is who it is anyway.
    owner = 12345 if os.geteuid() == 0 else os.geteuid()
    os.chown(tmp_path / "signing.pem", owner, -1)
    leaf = (tmp_path / "signing.pem").read_text()

    create(tmp_path, "--renew")

    assert (tmp_path / "signing.pem").read_text() != leaf
    assert (tmp_path / "signing.pem").stat().st_uid == owner


def token_of(directory: Path, *, age: timedelta = timedelta()) -> str:
    key = SigningKey.parse((directory / "signing.pem").read_text())
    return TokenIssuer(key).issue(
        subject=None,
        service=SERVICE,
        grants=[],
        issued_at=datetime.now(UTC) - age,
        lifetime_seconds=int(LIFETIME.total_seconds()),
    )


def status_of(port: int, token: str) -> int:
    answer = urllib3.request(
        "GET",
        f"http://127.0.0.1:{port}/v2/",
        headers={"Authorization": f"Bearer {token}"},
        retries=False,
    )
    return answer.status


def test_a_running_registry_takes_the_new_leaf_and_no_other_root(
    tmp_path: Path,
) -> None:
    keys, others, port = tmp_path / "keys", tmp_path / "others", free_port()
    create(keys)
    create(others)
    token = TokenAuth(
        "http://localhost:8000/v2/token", SERVICE, ISSUER, keys / "root.crt"
    )

    def status(text: str) -> int:
        return status_of(port, text)

    with start_registry(tmp_path / "registry", port, token=token) as registry:
        old = token_of(keys)
        late = token_of(keys, age=LIFETIME + LEEWAY + timedelta(seconds=10))
        assert status(old) == 200

        create(keys, "--renew")

        assert status(token_of(keys)) == 200
        # Tokens of the old leaf end as they would have.
        assert status(old) == 200
        assert status(late) == 401
        assert status(token_of(others)) == 401
        assert registry.exit_code is None
