"""A pytest plugin that provides the servers and secrets that the settings require.

It is loaded with ``-p``, because pytest-django reads the settings before any
``conftest.py``. With pytest-xdist the controller does all of it, and its workers
inherit the environment.
"""

from __future__ import annotations

import atexit
import base64
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from deploy.local.postgres import start_postgres
from deploy.local.valkey import start_valkey
from licenses.files.license_keys import generate_key
from portal.crypto.pem import private_pem
from registries.tokens.signing_keys import create_signing_material
from tests.support.issuers.own_authority import trust_own_authority

_WORKER = "PYTEST_XDIST_WORKER"
_running = ExitStack()
# pytest_unconfigure is not called if the settings cannot be read.
atexit.register(_running.close)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Iterator[None]:
    if _WORKER not in os.environ:
        _prepare()
    return (yield)


@cache
def _prepare() -> None:
    # `make mutants` runs pytest many times in one process and its forks.
    _set_environment()
    trust_own_authority()
    _start_servers()


def _set_environment() -> None:
    signing = create_signing_material()
    values = {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "BERTH_ENCRYPTION_KEYS": f"test:{_key()}",
        "BERTH_HMAC_KEYS": f"test:{_key()}",
        "BERTH_TOKEN_SIGNING_KEY": signing.signing_pem,
        "BERTH_TOKEN_ROOTS": signing.root_pem,
        "BERTH_LICENSE_ROOT_KEY": private_pem(generate_key()),
        "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
        "BERTH_ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8,::1/128",
        "DEBUG": "false",
    }
    for name, value in values.items():
        os.environ[name] = value
        os.environ.pop(f"{name}_FILE", None)


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _start_servers() -> None:
    missing = {"DATABASE_URL", "REDIS_URL"} - set(os.environ)
    if not missing:
        return
    data = Path(tempfile.mkdtemp(prefix="berth-tests-"))
    _running.callback(shutil.rmtree, data, ignore_errors=True)
    if "DATABASE_URL" in missing:
        postgres, url = start_postgres(data / "postgres", durable=False)
        os.environ["DATABASE_URL"] = url
        _running.callback(postgres.stop)
    if "REDIS_URL" in missing:
        valkey, url = start_valkey(data / "valkey")
        os.environ["REDIS_URL"] = url
        _running.callback(valkey.stop)
