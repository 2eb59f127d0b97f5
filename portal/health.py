"""Liveness and readiness of the portal and the edge."""

from __future__ import annotations

import logging
import pkgutil
from functools import cache
from importlib.util import find_spec
from typing import cast

from django.apps import apps
from django.core.cache import caches
from django.db import Error, ProgrammingError, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from portal.database.deadlines import PROBE_SECONDS, waiting_at_most
from portal.http.draining import is_draining
from portal.http.errors import RETRY_AFTER
from portal.http.redis_cache import ForgivingRedisCache

logger = logging.getLogger(__name__)

STOPPING = {"status": "stopping"}
OLD_SCHEMA = "The database lacks migrations of this version. Run manage.py migrate."


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Return 503 without the database or with the schema of an older version.

    Also while the process ends. Redis is only reported, being optional.
    """
    if is_draining():
        return JsonResponse(STOPPING, status=503, headers={"Retry-After": RETRY_AFTER})
    answers, schema = _database_state()
    checks = {"database": answers, "schema": schema, "redis": redis_answers()}
    return JsonResponse(
        {"status": "ok" if schema else "unavailable", "checks": checks},
        status=200 if schema else 503,
        headers={} if schema else {"Retry-After": RETRY_AFTER},
    )


def _database_state() -> tuple[bool, bool]:
    """Return whether the database answers, and whether its schema is new enough."""
    try:
        is_current = schema_is_current()
    except Error:
        logger.exception("The database is unavailable")
        return False, False
    if not is_current:
        logger.error(OLD_SCHEMA)
    return True, is_current


def schema_is_current() -> bool:
    """Return whether the database has had every migration of this version.

    It may have had newer ones, too: an upgrade migrates before it replaces processes.
    Raises django.db.Error if the database is unavailable.
    """
    with waiting_at_most(PROBE_SECONDS), connection.cursor() as cursor:
        try:
            cursor.execute("SELECT app, name FROM django_migrations")
        except ProgrammingError:  # nothing was ever migrated
            return False
        return _migrations() <= set(cursor.fetchall())


@cache
def _migrations() -> frozenset[tuple[str, str]]:
    """Return app and name of this version's migrations, without importing them."""
    names = set()
    for app in apps.get_app_configs():
        package, _ = MigrationLoader.migrations_module(app.label)
        spec = find_spec(package) if package else None
        path = spec.submodule_search_locations if spec else None
        names |= {
            (app.label, module.name) for module in pkgutil.iter_modules(path or [])
        }
    return frozenset(names)


def redis_answers() -> bool:
    try:
        cast("ForgivingRedisCache", caches["default"]).ping()
    except (RedisError, OSError):
        return False
    return True
