"""Static files: collected while Berth is built, or served from their sources."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

PROJECT = Path(__file__).resolve().parents[3]
TABLER = "/static/@tabler/core/dist/css"
MISSING = {
    "name": "/static/missing.css",
    "name in a package": f"{TABLER}/missing.css",
    "directory": "/static/berth",
    "directory with slash": "/static/berth/",
    "all": "/static/",
    "below a file": "/static/berth/berth.css/x",
    "slash doubled": "/static//etc/passwd",
    "dots": "/static/../portal/settings.py",
    "encoded dots": "/static/%2e%2e/portal/settings.py",
    "dots inside": "/static/berth/../../portal/settings.py",
    "backslash": "/static/..\\portal\\settings.py",
    "home": "/static/~root/.profile",
    "long name": f"/static/{'a' * 5000}",
    "many folders": f"/static/{'a/' * 3000}a",
    "not UTF-8": "/static/%ff.css",
    "overlong UTF-8": "/static/%c0%ae%c0%ae/settings.py",
    "surrogate": "/static/berth/%ed%a0%80",
}


@pytest.mark.parametrize(
    "path", ["/static/berth/berth.css", f"{TABLER}/tabler.min.css"]
)
def test_static_files_are_served(path: str) -> None:
    assert settings.WHITENOISE_AUTOREFRESH

    response = Client().get(path)

    assert response.status_code == 200
    assert response["Content-Type"] == 'text/css; charset="utf-8"'
    assert b"{" in b"".join(response)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("case", MISSING)
def test_a_missing_static_file_is_404(case: str, method: str) -> None:
    response = Client().generic(method, MISSING[case])

    assert response.status_code == 404


@pytest.mark.parametrize("path", ["/static/a%00.css", "/static/berth/berth.css%00"])
def test_a_path_with_a_nul_character_is_400(path: str) -> None:
    assert Client().get(path).status_code == 400


def manage(command: str, *arguments: str, **environment: str) -> str:
    """Run a command where no secret is, and return what it prints of errors."""
    bare = {"PATH": os.environ["PATH"]} | environment
    result = subprocess.run(
        [sys.executable, "manage.py", command, *arguments],
        cwd=PROJECT,
        env=bare,
        check=False,
        capture_output=True,
        text=True,
    )
    return result.stderr if result.returncode else ""


def test_static_files_are_collected_without_any_secret(tmp_path: Path) -> None:
    root = tmp_path / "static"

    error = manage(
        "collectstatic",
        "--no-input",
        STATIC_ROOT=str(root),
        SECRET_KEY_FILE=str(tmp_path / "not-mounted"),
    )

    assert error == ""
    assert list(root.glob("berth/berth.*.css"))
    # Everything else still needs them.
    assert "Set SECRET_KEY" in manage("check", STATIC_ROOT=str(root))
