"""PgBouncer in transaction mode, with few connections, so that all share them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from deploy.local.process import ManagedProcess, free_port

# Where Debian puts it; only root has the directory in PATH.
PGBOUNCER = "/usr/sbin/pgbouncer"
# A command holds two: one for its lock, one for its work.
CONNECTIONS = 4
NOBODY = 65534


@dataclass(frozen=True)
class PgBouncer:
    """``url`` is the database's, through PgBouncer."""

    url: str

    def url_of(self, database: str) -> str:
        return f"{self.url.rpartition('/')[0]}/{database}"

    def settings_left_behind(self, *names: str) -> dict[str, set[str]]:
        """Return the values that the server's connections have, all of them."""
        with ExitStack() as stack:
            values: dict[str, set[str]] = {name: set() for name in names}
            for _ in range(CONNECTIONS):
                # In a transaction each, so that each has another one of the server's.
                client = stack.enter_context(
                    psycopg.connect(self.url, prepare_threshold=None)
                )
                for name in names:
                    row = client.execute(f"SHOW {name}").fetchone()
                    assert row
                    values[name].add(row[0])
            return values


@contextmanager
def pgbouncer_before(database_url: str) -> Iterator[PgBouncer]:
    """Start PgBouncer in front of all databases of a server."""
    server = urlsplit(database_url)
    port = free_port()
    # It does not run as root, and a test's own directory is for its user alone.
    directory = Path(tempfile.mkdtemp(prefix="berth-pgbouncer-"))
    users, config = directory / "users.txt", directory / "pgbouncer.ini"
    users.write_text(f'"{server.username}" "{server.password}"\n')
    config.write_text(
        f"""
[databases]
* = host={server.hostname} port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = {CONNECTIONS}
max_client_conn = 300
"""
    )
    options: list[str] = []
    if os.geteuid() == 0:
        for path in (directory, users, config):
            os.chown(path, NOBODY, NOBODY)
        options = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    url = f"postgresql://{server.username}:{server.password}@127.0.0.1:{port}{server.path}"
    try:
        with ManagedProcess(
            [PGBOUNCER, str(config)],
            name="pgbouncer",
            log=directory / "pgbouncer.log",
            setpriv_options=options,
        ) as process:
            process.wait_until(lambda: _answers(url), 20)
            yield PgBouncer(url)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False
