"""Gathers what the image holds: Python, packages, Berth, and nothing else.

Runs in the build, as a file, with the interpreter of the packages:

    /opt/berth/bin/python filesystem.py SYSTEM APP

SYSTEM becomes ``/`` of the image, APP its ``/app``. There is no shell, no package
manager and no program but Python in it, so all that Berth runs on is named here. The
same input gives the same bytes: compiled modules hold a hash of their source in place
of its date.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

USER = 10001
PACKAGES = Path("/opt/berth")
APP = Path("/app")
# What the Procfile's commands begin with, beside Python.
PROGRAMS = ("celery", "granian", "uvicorn")
# The user's, for volumes: engines give a new volume the owner of what it covers.
VOLUMES = ("cache", "log", "registry", "registry-config")
FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ld.so.cache", "/etc/mime.types")
ACCOUNTS = {
    "passwd": f"root:x:0:0::/:/nologin\nberth:x:{USER}:{USER}::/:/nologin\n",
    "group": f"root:x:0:\nberth:x:{USER}:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
# Entrypoint: the kernel reads its first line, so that no shell is needed.
BERTH = f"""#!{PACKAGES}/bin/python
from deploy.roles import main

raise SystemExit(main(__import__("sys").argv[1:]))
"""

# Of the standard library, what no server needs.
UNUSED_LIBRARY = re.compile(
    r"(test|idlelib|tkinter|turtledemo|turtle\.py|ensurepip|lib2to3|pydoc_data"
    r"|venv|site-packages|dist-packages|config-[^/]*"
    r"|lib-dynload/(_tkinter|_test|_ctypes_test|_xx|xx)[^/]*)(/.*)?"
)
# Of packages: installers, their own tests and sources, languages that pages do not
# have, static files, which are collected elsewhere, and Amazon's services but the two
# that Berth calls.
UNUSED_PACKAGES = re.compile(
    r"(pip|setuptools|pkg_resources|_distutils_hack|distutils-precedence\.pth)(/.*)?"
    r"|(pip|setuptools)-[^/]*\.dist-info(/.*)?"
    r"|[^/]+\.dist-info/RECORD"
    r"|.*/tests(/.*)?"
    r"|.*\.(pyi|pyx|pxd|c|h|po)"
    r"|.*/static/.*(?<!\.py)"  # celery.utils.static is a module
    r"|.*/locale/(?!en/|en$|__init__\.py$)[^/]+(/.*)?"
    r"|django/contrib/gis(/.*)?"
    r"|celery/contrib/testing(/.*)?"
    r"|boto3/(data|examples)/.*"
    r"|botocore/data/(?!ecr/|sts/)[^/]+/.*"
)
UNUSED_APP = re.compile(
    r"deploy/(image|nginx)(/.*)?|docs/guide(-site)?(/.*)?|requirements.*|package.*"
)

Unused = Callable[[str], object]


def main() -> None:
    system, app = Path(sys.argv[1]), Path(sys.argv[2])
    library = Path(sysconfig.get_path("stdlib"))
    packages = Path(sysconfig.get_path("purelib"))
    copy_tree(library, inside(system, library), UNUSED_LIBRARY.fullmatch)
    copy_tree(packages, inside(system, packages), UNUSED_PACKAGES.fullmatch)
    copy_tree(APP, app, UNUSED_APP.fullmatch)
    strip_modules(inside(system, packages))
    interpreter = Path(sys.executable).resolve()
    copy_file(interpreter, system)
    write_programs(system, packages, interpreter)
    copied = [interpreter, *library.rglob("*.so"), *packages.rglob("*.so*")]
    for shared in shared_libraries(copied):
        copy_file(shared, system)
    write_system(system)
    for directory in (inside(system, library), inside(system, packages), app):
        compile_modules(directory, seen_as=directory_in_image(directory, system, app))


def inside(root: Path, path: Path) -> Path:
    """Return the place of an absolute path below another root."""
    return root / path.relative_to("/")


def directory_in_image(directory: Path, system: Path, app: Path) -> Path:
    if directory == app:
        return APP
    return Path("/") / directory.relative_to(system)


def copy_tree(source: Path, target: Path, unused: Unused) -> None:
    """Copy what is used, in order, without compiled modules."""
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if path.is_dir() or "__pycache__" in path.parts or unused(name):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / name)


def strip_modules(packages: Path) -> None:
    """Remove what only debuggers read: an eighth of the image.

    Not of libraries that wheels bring along, whose layout their packagers changed.
    """
    modules = [
        path for path in packages.rglob("*.so") if ".libs" not in str(path.parent)
    ]
    subprocess.run(["strip", "--strip-unneeded", *sorted(modules)], check=True)


def copy_file(path: Path, root: Path) -> None:
    """Copy a program or library to its place, with the links that lead to it."""
    for top in ("lib", "lib64", "bin"):  # Debian's lead to those below /usr
        if Path("/", top).is_symlink() and not (root / top).is_symlink():
            (root / top).symlink_to(Path("/", top).readlink())
    named = inside(root, path.parent.resolve() / path.name)
    real = inside(root, path.resolve())
    real.parent.mkdir(parents=True, exist_ok=True)
    if not real.exists():
        shutil.copyfile(path, real)
        real.chmod(0o755)
    if named != real and not named.is_symlink():
        named.parent.mkdir(parents=True, exist_ok=True)
        named.symlink_to(os.path.relpath(real, named.parent))


def shared_libraries(programs: Iterable[Path]) -> Iterator[Path]:
    """Yield the libraries of the system that the programs are linked with."""
    known: set[str] = set()
    for program in programs:
        printed = subprocess.run(
            ["ldd", program],
            capture_output=True,
            text=True,
            check=False,
        )
        known |= set(linked_libraries(printed.stdout))
    yield from (
        Path(name) for name in sorted(known) if PACKAGES not in Path(name).parents
    )


def linked_libraries(printed: str) -> list[str]:
    """Return the paths in what ldd printed: ``libm.so.6 => /lib/libm.so.6 (0x…)``."""
    return re.findall(r"(?:=> |^\s*)(/\S+) \(0x", printed, flags=re.MULTILINE)


def write_programs(system: Path, packages: Path, interpreter: Path) -> None:
    """Make the environment of the packages: its Python, and the programs of roles."""
    programs = inside(system, PACKAGES / "bin")
    programs.mkdir(parents=True)
    for name in ("python", "python3"):
        (programs / name).symlink_to(interpreter)
    shutil.copyfile(PACKAGES / "pyvenv.cfg", inside(system, PACKAGES / "pyvenv.cfg"))
    (programs / "berth").write_text(BERTH, encoding="ascii")
    for name in PROGRAMS:
        shutil.copyfile(PACKAGES / "bin" / name, programs / name)
    for name in (*PROGRAMS, "berth"):
        (programs / name).chmod(0o755)
    # Berth is importable from any directory.
    path = inside(system, packages / "berth.pth")
    path.write_text(f"{APP}\n", encoding="ascii")


def write_system(system: Path) -> None:
    for name in FILES:
        if Path(name).exists():
            target = inside(system, Path(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, target)
    for name, text in ACCOUNTS.items():
        (system / "etc" / name).write_text(text, encoding="ascii")
    (system / "tmp").mkdir()
    (system / "tmp").chmod(0o1777)
    for name in VOLUMES:
        path = system / "var/lib/berth" / name
        path.mkdir(parents=True)
        os.chown(path, USER, USER)


def compile_modules(directory: Path, *, seen_as: Path) -> None:
    """Compile all modules: the image is read-only, and a start would take seconds."""
    compileall.compile_dir(
        directory,
        quiet=1,
        ddir=str(seen_as),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


if __name__ == "__main__":
    main()
