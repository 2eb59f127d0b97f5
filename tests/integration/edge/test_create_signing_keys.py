from __future__ import annotations

import stat
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from edge.token.keys import SigningKey, is_issued_by, load_roots


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
