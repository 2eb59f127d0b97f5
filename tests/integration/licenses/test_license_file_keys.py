"""The commands that make the keys of license files."""

from __future__ import annotations

import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import CommandError, call_command

from licenses.files import license_keys
from licenses.files.application_keys import signing_key_of
from licenses.files.license_file import license_file
from licenses.files.license_keys import license_roots
from licenses.models import License, LicenseSigningKey
from portal.crypto.fields import encryption_keyring
from teams.models import Team
from tests.conftest import KEY_BITS
from tests.support.clients.license_verifier import root_id, verify_license
from tests.support.rows.factories import ApplicationFactory, LicenseFactory


def call(command: str, *args: str) -> str:
    output = StringIO()
    call_command(command, *args, stdout=output)
    return output.getvalue()


def test_a_root_signs_what_its_public_key_checks(
    tmp_path: Path, team: Team, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(license_keys, "KEY_BITS", KEY_BITS)
    directory = tmp_path / "new" / "root"

    output = call("create_license_root", str(directory))

    key, public = directory / "license-root.key", directory / "license-root.pem"
    loaded = serialization.load_pem_public_key(public.read_bytes())
    assert isinstance(loaded, rsa.RSAPublicKey)
    assert loaded.key_size == 3072
    assert root_id(loaded) in output
    assert "PRIVATE" not in output
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    settings.BERTH_LICENSE_ROOT_KEY = key.read_text()
    assert license_roots().published() == public.read_text()
    text = license_file(LicenseFactory(team=team)).text()
    assert verify_license(text, public.read_text())


@pytest.mark.parametrize("name", ["license-root.key", "license-root.pem"])
def test_no_root_is_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")

    with pytest.raises(CommandError, match="nothing was written"):
        call("create_license_root", str(tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_root_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CommandError, match="cannot be written"):
        call("create_license_root", str(tmp_path / "file"))


def test_keys_of_applications_are_replaced(team: Team) -> None:
    one = ApplicationFactory(team=team, slug="one")
    kept = signing_key_of(ApplicationFactory(team=team, slug="other"))
    before = signing_key_of(one)

    output = call("replace_license_key", "one")

    assert output == "Replaced the key of one\n"
    assert signing_key_of(one).public_key != before.public_key
    assert LicenseSigningKey.objects.get(pk=kept.pk).public_key == kept.public_key


def test_a_misspelt_application_changes_nothing(team: Team) -> None:
    before = signing_key_of(ApplicationFactory(team=team, slug="one"))

    with pytest.raises(CommandError, match="Unknown application: two"):
        call("replace_license_key", "one", "two")

    assert LicenseSigningKey.objects.get().public_key == before.public_key


def test_no_key_is_replaced_without_a_root(team: Team, settings: Any) -> None:
    before = signing_key_of(ApplicationFactory(team=team, slug="one"))
    settings.BERTH_LICENSE_ROOT_KEY = ""

    with pytest.raises(CommandError, match="BERTH_LICENSE_ROOT_KEY"):
        call("replace_license_key", "one")

    assert LicenseSigningKey.objects.get().public_key == before.public_key


def test_keys_are_re_encrypted_with_all_other_secrets(
    team: Team, settings: Any
) -> None:
    license = LicenseFactory(team=team)
    stored = signing_key_of(license.application)
    old = settings.BERTH_ENCRYPTION_KEYS
    new = "fresh:" + "A" * 43 + "="
    settings.BERTH_ENCRYPTION_KEYS = f"{new},{old}"

    call("rotate_encryption_keys")

    row = LicenseSigningKey.objects.values().get(pk=stored.pk)
    assert encryption_keyring().is_current(str(row["private_key"]))
    settings.BERTH_ENCRYPTION_KEYS = new
    text = license_file(License.objects.get()).text()
    assert verify_license(text, license_roots().published())
