"""What a build would find out late, or never."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from deploy.image.filesystem import (
    UNUSED_APP,
    UNUSED_LIBRARY,
    UNUSED_PACKAGES,
    USER,
    linked_libraries,
)

PROJECT = Path(__file__).resolve().parents[3]
CONTAINERFILE = (PROJECT / "Containerfile").read_text()
# Each instruction as one line.
INSTRUCTIONS = [
    line
    for line in re.sub(r"\\\n\s*", " ", CONTAINERFILE).splitlines()
    if line and not line.startswith("#")
]
LAST_STAGE = INSTRUCTIONS[
    max(i for i, line in enumerate(INSTRUCTIONS) if line.startswith("FROM")) :
]
SENT = [
    line.removeprefix("!")
    for line in (PROJECT / ".dockerignore").read_text().splitlines()
    if line.startswith("!")
]


def test_what_is_installed_is_pinned_and_runs_no_script() -> None:
    installs = [line for line in INSTRUCTIONS if "pip install" in line]
    assert len(installs) == 2
    for line in installs:
        assert line.count("pip install") == line.count("--require-hashes") == 1
        assert "--only-binary :all:" in line
    npm = [line for line in INSTRUCTIONS if "npm" in line and line.startswith("RUN")]
    assert len(npm) == 1
    assert "npm ci --omit=dev --ignore-scripts" in npm[0]
    assert not [line for line in INSTRUCTIONS if line.startswith("ADD")]


def test_the_image_is_nothing_but_what_is_copied_into_it() -> None:
    assert LAST_STAGE[0] == "FROM scratch"
    assert not [line for line in LAST_STAGE if line.startswith("RUN")]
    copied = [line for line in LAST_STAGE if line.startswith("COPY")]
    assert all(line.startswith("COPY --from=files /image") for line in copied)


def test_the_image_runs_as_a_user_without_rights() -> None:
    assert f"USER {USER}:{USER}" in LAST_STAGE
    assert LAST_STAGE[-1] == 'ENTRYPOINT ["berth"]'


def test_the_image_holds_no_secret() -> None:
    words = " ".join(LAST_STAGE)
    for name in ("SECRET_KEY", "KEYS", "DATABASE_URL", "REDIS_URL", "TOKEN"):
        assert name not in words


def test_the_build_gets_every_room_and_nothing_that_is_not_in_git() -> None:
    configuration = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    rooms = configuration["tool"]["importlinter"]["root_packages"]
    assert set(rooms) <= set(SENT)
    assert {"manage.py", "Procfile", "templates", "static"} <= set(SENT)
    ignored = {".venv", "var", "node_modules", "static-collected", "guide-built"}
    assert not ignored.intersection(name.split("/")[0] for name in SENT)
    assert all((PROJECT / name).exists() for name in SENT)


def test_the_wheel_that_the_portal_offers_is_the_one_that_is_built() -> None:
    project = tomllib.loads((PROJECT / "installer/pyproject.toml").read_text())
    version = project["project"]["version"]
    wheel = f"/app/wheel/berth_installer-{version}-py3-none-any.whl"
    assert f"BERTH_INSTALLER_WHEEL={wheel}" in LAST_STAGE[-5]


@pytest.mark.parametrize(
    "name",
    [
        "django/conf/locale/__init__.py",
        "django/conf/locale/en/LC_MESSAGES/django.mo",
        "django/conf/locale/en/formats.py",
        "django/test/signals.py",
        "celery/utils/static/__init__.py",
        "botocore/data/endpoints.json",
        "botocore/data/ecr/2015-09-21/service-2.json.gz",
        "botocore/data/sts/2011-06-15/service-2.json.gz",
        "psycopg_binary.libs/libpq.so.5",
        "whitenoise-6.12.0.dist-info/METADATA",
    ],
)
def test_what_berth_needs_of_packages_is_kept(name: str) -> None:
    assert not UNUSED_PACKAGES.fullmatch(name)


@pytest.mark.parametrize(
    "name",
    [
        "pip/__main__.py",
        "pip-26.0.dist-info/METADATA",
        "setuptools/__init__.py",
        "kombu/tests/test_a.py",
        "celery/utils/tests/a/b.py",
        "allauth/locale/de/LC_MESSAGES/django.mo",
        "django/conf/locale/de/formats.py",
        "django/contrib/admin/static/admin/js/core.js",
        "django/contrib/gis/db/models.py",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "uvloop/loop.pyx",
        "yarl-1.25.1.dist-info/RECORD",
    ],
)
def test_what_berth_does_not_need_of_packages_stays_behind(name: str) -> None:
    assert UNUSED_PACKAGES.fullmatch(name)


def test_amazons_services_that_berth_calls_are_kept() -> None:
    source = (PROJECT / "registries/providers/amazon/login.py").read_text()
    called = re.findall(r"\.client\(\s*\"(\w+)\"", source)
    assert called
    for service in called:
        assert not UNUSED_PACKAGES.fullmatch(f"botocore/data/{service}/x/service.gz")


def test_the_standard_library_keeps_all_but_tests_and_windows() -> None:
    assert not UNUSED_LIBRARY.fullmatch("unittest/mock.py")
    assert not UNUSED_LIBRARY.fullmatch("lib-dynload/_ssl.cpython-312.so")
    for name in ("test/test_os.py", "tkinter/__init__.py", "ensurepip/_bundled/a.whl"):
        assert UNUSED_LIBRARY.fullmatch(name)


def test_berth_is_copied_without_what_only_the_build_reads() -> None:
    for name in ("manage.py", "Procfile", "deploy/roles.py", "docs/api/openapi.yaml"):
        assert not UNUSED_APP.fullmatch(name)
    for name in ("deploy/image/filesystem.py", "docs/guide/index.md", "package.json"):
        assert UNUSED_APP.fullmatch(name)


def test_libraries_are_read_from_what_ldd_prints() -> None:
    printed = (
        "\tlinux-vdso.so.1 (0x00007ffd2)\n"
        "\tlibpython3.12.so.1.0 => /usr/local/lib/libpython3.12.so.1.0 (0x00007f3a)\n"
        "\tlibgone.so.1 => not found\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f3b)\n"
    )

    assert linked_libraries(printed) == [
        "/usr/local/lib/libpython3.12.so.1.0",
        "/lib64/ld-linux-x86-64.so.2",
    ]
    assert linked_libraries("\tnot a dynamic executable\n") == []
