"""CNCF Distribution 2.8 from Debian's ``docker-registry``, configured by Berth."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import bcrypt
import yaml

from deploy.local.private_files import kept_secret, private_directory, write_private
from deploy.local.process import LocalStackError, ManagedProcess
from images.distribution_config import (
    FilesystemStorage,
    Notifications,
    TokenAuth,
    distribution_config,
)

__all__ = ["TokenAuth", "find_registry", "start_registry"]

PACKAGE = "docker-registry"


def find_registry() -> Path:
    """Return the path of the ``docker-registry`` program.

    Raises:
        LocalStackError: it is not installed.
    """
    program = shutil.which(PACKAGE, path=f"{os.environ.get('PATH', '')}:/usr/bin")
    if program is None:
        raise LocalStackError(
            f"The program {PACKAGE} is missing. On Debian and Ubuntu: "
            f"sudo apt-get install {PACKAGE}"
        )
    return Path(program)


def start_registry(
    data_dir: Path,
    port: int,
    *,
    name: str = "registry",
    htpasswd: tuple[str, str] | None = None,
    token: TokenAuth | None = None,
    notifications: Notifications | None = None,
) -> ManagedProcess:
    """Start a registry on 127.0.0.1 and return it once it answers.

    ``htpasswd`` is a user and a password. Without it and ``token``, the registry needs
    no login.

    Raises:
        LocalStackError: it did not start; the message quotes its log.
    """
    data_dir = private_directory(data_dir.absolute())
    config = _config(data_dir, port, token, notifications)
    if htpasswd is not None:
        config["auth"] = _htpasswd(data_dir / "htpasswd", *htpasswd)
    path = write_private(data_dir / "config.yml", yaml.safe_dump(config))
    process = ManagedProcess(
        [str(find_registry()), "serve", str(path)],
        name=name,
        log=data_dir / "registry.log",
        # The caller's REGISTRY_* variables would override the file.
        env={"PATH": os.environ.get("PATH", os.defpath)},
    )
    process.wait_for_http(f"http://127.0.0.1:{port}/v2/")
    return process


def _config(
    data_dir: Path,
    port: int,
    token: TokenAuth | None,
    notifications: Notifications | None,
) -> dict[str, Any]:
    return distribution_config(
        addr=f"127.0.0.1:{port}",
        http_secret=kept_secret(data_dir / "http-secret", secrets.token_hex),
        storage=FilesystemStorage(data_dir / "storage"),
        token=token,
        notifications=notifications,
    )


def _htpasswd(path: Path, user: str, password: str) -> dict[str, Any]:
    # Distribution checks the hash on every request. The password is long and random,
    # so a cheap hash is safe.
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()
    write_private(path, f"{user}:{hashed}\n")
    return {"htpasswd": {"realm": "registry", "path": str(path)}}
