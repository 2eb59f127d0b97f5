"""The private registry's configuration, as ``write_registry_config`` writes it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from images.distribution_config import Notifications

PROJECT = Path(__file__).resolve().parents[3]
TOKEN = "notification-token-of-the-tests-0a1b2c"
REALM = "--realm=https://proxy.example.com/v2/token"


@pytest.fixture(autouse=True)
def installation(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = "proxy.example.com"
    settings.BERTH_PORTAL_URL = "https://portal.example"
    settings.BERTH_REGISTRY_NOTIFICATION_TOKEN = TOKEN


def write(output: Path | str, *options: str) -> str:
    stdout = StringIO()
    call_command("write_registry_config", str(output), *options, stdout=stdout)
    return stdout.getvalue()


def written(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


def test_settings_tell_all_that_a_registry_needs(tmp_path: Path, settings: Any) -> None:
    write(tmp_path / "config.yml")

    config = written(tmp_path / "config.yml")
    assert config["http"]["addr"] == "127.0.0.1:5000"
    assert config["http"]["relativeurls"] is True
    assert config["auth"]["token"] == {
        "realm": "https://proxy.example.com/v2/token",
        "service": "berth-registry",
        "issuer": "berth",
        "rootcertbundle": str(tmp_path / "token-roots.crt"),
        "signingalgorithms": ["ES256"],
    }
    (endpoint,) = config["notifications"]["endpoints"]
    assert endpoint["url"] == "https://portal.example/registry-notifications"
    assert endpoint["headers"] == {"Authorization": [f"Bearer {TOKEN}"]}
    bundle = (tmp_path / "token-roots.crt").read_text()
    assert bundle.strip() == settings.BERTH_TOKEN_ROOTS.strip()


def test_images_are_deletable_never_cached_and_never_served_past_berth(
    tmp_path: Path,
) -> None:
    write(tmp_path / "config.yml")

    storage = written(tmp_path / "config.yml")["storage"]
    assert storage["delete"] == {"enabled": True}
    assert storage["redirect"] == {"disable": True}
    assert "cache" not in storage
    assert storage["filesystem"] == {"rootdirectory": "/var/lib/docker-registry"}
    assert storage["maintenance"]["readonly"] == {"enabled": False}


def test_a_file_with_secrets_is_private_and_they_are_not_printed(
    tmp_path: Path,
) -> None:
    output = write(tmp_path / "new" / "config.yml")

    path = tmp_path / "new" / "config.yml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # The registry's user reads it, whoever wrote it; certificates are no secret.
    bundle = tmp_path / "new" / "token-roots.crt"
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o644
    assert f"Wrote {path}" in output
    assert f"Wrote {bundle}" in output
    assert TOKEN not in output
    assert written(path)["http"]["secret"] not in output


def test_the_token_is_not_in_the_repr() -> None:
    assert TOKEN not in repr(Notifications("https://portal.example", TOKEN))


def test_a_bucket_is_named_without_its_keys(tmp_path: Path) -> None:
    write(
        tmp_path / "config.yml",
        *("--storage=s3", "--s3-bucket=images", "--s3-region=eu-central-1"),
        *("--s3-encrypt", "--s3-kms-key-id=key-1", "--directory=/berth"),
    )

    storage = written(tmp_path / "config.yml")["storage"]
    assert "filesystem" not in storage
    assert storage["s3"] == {
        "bucket": "images",
        "region": "eu-central-1",
        "rootdirectory": "/berth",
        "encrypt": True,
        "keyid": "key-1",
        "secure": True,
    }


def test_another_storage_is_addressed_by_path(tmp_path: Path) -> None:
    write(
        tmp_path / "config.yml",
        *("--storage=s3", "--s3-bucket=images", "--s3-region=local"),
        "--s3-endpoint=http://minio.internal:9000",
    )

    s3 = written(tmp_path / "config.yml")["storage"]["s3"]
    assert s3["regionendpoint"] == "http://minio.internal:9000"
    assert s3["forcepathstyle"] is True
    assert s3["secure"] is False


def test_what_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    write(path)
    before = path.read_text()

    with pytest.raises(CommandError, match="nothing was written"):
        write(path, "--read-only")
    assert path.read_text() == before

    output = write(path, "--read-only", "--force")
    config = written(path)
    assert config["storage"]["maintenance"]["readonly"] == {"enabled": True}
    assert config["http"]["secret"] == yaml.safe_load(before)["http"]["secret"]
    assert "The upload secret was kept." in output


def test_all_replicas_get_the_upload_secret_of_the_setting(
    tmp_path: Path, settings: Any
) -> None:
    secret = settings.BERTH_REGISTRY_UPLOAD_SECRET = "upload-secret-" + "5d" * 16
    for name in ("one.yml", "other.yml"):
        output = write(tmp_path / name, "--root-bundle=/etc/registry/roots.crt")
        assert written(tmp_path / name)["http"]["secret"] == secret
        assert secret not in output

    settings.BERTH_REGISTRY_UPLOAD_SECRET = rotated = "another-" + "7c" * 16
    output = write(tmp_path / "one.yml", "--force", "--root-bundle=/etc/roots.crt")

    assert written(tmp_path / "one.yml")["http"]["secret"] == rotated
    assert "was kept" not in output


def test_a_short_upload_secret_is_refused(tmp_path: Path, settings: Any) -> None:
    settings.BERTH_REGISTRY_UPLOAD_SECRET = "short-5d1c"

    with pytest.raises(CommandError, match="openssl rand -base64 32") as caught:
        write(tmp_path / "config.yml")

    assert "short-5d1c" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_that_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    (tmp_path / "token-roots.crt").write_text("of somebody else")

    with pytest.raises(CommandError, match=r"token-roots\.crt exists"):
        write(tmp_path / "config.yml")

    assert [path.name for path in tmp_path.iterdir()] == ["token-roots.crt"]
    assert (tmp_path / "token-roots.crt").read_text() == "of somebody else"


@pytest.mark.parametrize("text", ["http: {}", "- a", "{", "[users]\nroot=secret\n"])
def test_a_file_that_is_no_such_configuration_is_left_alone(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "config.yml"
    path.write_text(text)

    with pytest.raises(CommandError, match="Move it away") as caught:
        write(path, "--force")

    assert "secret" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yml"]
    assert path.read_text() == text


def test_a_file_that_is_replaced_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    write(path)
    # Only root may give a file away; for others the owner is who it is anyway.
    owner = 12345 if os.geteuid() == 0 else os.geteuid()
    os.chown(path, owner, -1)

    write(path, "--force", "--addr=127.0.0.1:5005")

    assert written(path)["http"]["addr"] == "127.0.0.1:5005"
    assert path.stat().st_uid == owner
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_printing_is_asked_for_and_needs_a_bundle(tmp_path: Path) -> None:
    config = yaml.safe_load(write("-", "--root-bundle=/etc/registry/roots.crt"))
    assert config["auth"]["token"]["rootcertbundle"] == "/etc/registry/roots.crt"
    assert len(config["http"]["secret"]) == 64

    with pytest.raises(CommandError, match="--root-bundle"):
        write("-")


def test_a_named_bundle_is_not_written(tmp_path: Path) -> None:
    write(tmp_path / "config.yml", "--root-bundle=/etc/registry/roots.crt")

    assert [path.name for path in tmp_path.iterdir()] == ["config.yml"]


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("BERTH_PROXY_HOST", "", "BERTH_PROXY_HOST"),
        ("BERTH_PORTAL_URL", "", "--notifications-url"),
        ("BERTH_REGISTRY_NOTIFICATION_TOKEN", "", "openssl rand"),
        ("BERTH_TOKEN_ROOTS", "", "create_signing_keys"),
        ("BERTH_TOKEN_ROOTS", "not a certificate", "holds no certificate"),
    ],
)
def test_missing_settings_are_reported_and_nothing_written(
    tmp_path: Path, settings: Any, setting: str, value: object, says: str
) -> None:
    setattr(settings, setting, value)

    with pytest.raises(CommandError, match=says):
        write(tmp_path / "config.yml")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--storage=s3"], "--s3-bucket and --s3-region"),
        (["--s3-bucket=images"], "need --storage s3"),
        (
            [*("--storage=s3", "--s3-bucket=b", "--s3-region=r"), "--s3-kms-key-id=k"],
            "--s3-encrypt",
        ),
        (["--realm=proxy.example.com/v2/token"], "does not begin with https://"),
    ],
)
def test_conflicting_options_are_reported_and_nothing_written(
    tmp_path: Path, options: list[str], says: str
) -> None:
    with pytest.raises(CommandError, match=says):
        write(tmp_path / "config.yml", *options)

    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CommandError, match="cannot be written"):
        write(tmp_path / "file" / "config.yml")


def test_it_needs_no_database(tmp_path: Path) -> None:
    away = {"DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/none"}
    ours = {
        "BERTH_REGISTRY_NOTIFICATION_TOKEN": TOKEN,
        "CSRF_TRUSTED_ORIGINS": "https://portal.example",
    }
    subprocess.run(
        [
            *(sys.executable, "manage.py", "write_registry_config"),
            *(str(tmp_path / "config.yml"), REALM),
        ],
        cwd=PROJECT,
        env=os.environ | away | ours,
        check=True,
        capture_output=True,
        timeout=60,
    )

    assert written(tmp_path / "config.yml")["auth"]["token"]["issuer"] == "berth"
