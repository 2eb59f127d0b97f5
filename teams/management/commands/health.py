"""Whether the worker or beat of this machine does its work, for probes."""

from __future__ import annotations

from typing import Any

from celery import current_app
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from redis import Redis
from redis.exceptions import RedisError

from portal.background.heartbeat import Role, seconds_since

# Longer than one task may take. Some are sent every five seconds.
MOST_SECONDS = {Role.WORKER: settings.CELERY_TASK_TIME_LIMIT + 60, Role.BEAT: 60}
BROKER_SECONDS = 2


class Command(BaseCommand):
    help = (
        "Exit with 0 if the worker or beat with this BERTH_RUN_DIR does its work, and "
        "with 1 if it should be restarted. While the broker is unavailable, a restart "
        "would not help."
    )
    # A probe runs often, and needs none of the pages that they import.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", choices=[role.value for role in Role])

    def handle(self, *args: object, **options: Any) -> None:
        role = Role(options["role"])
        seconds = _seconds_since(role)
        if seconds is not None and seconds <= MOST_SECONDS[role]:
            self.stdout.write(f"ok: the {role} worked {seconds:.0f} seconds ago")
            return
        since = "yet" if seconds is None else f"for {seconds:.0f} seconds"
        if excuse := _excuse(role):
            self.stdout.write(f"ok: the {role} has done nothing {since}: {excuse}")
            return
        raise CommandError(f"The {role} has done nothing {since}. Restart it.")


def _seconds_since(role: Role) -> float | None:
    if not settings.BERTH_RUN_DIR:
        raise CommandError(
            "Set BERTH_RUN_DIR, for this command and the process, to a directory that "
            "the process may write to."
        )
    try:
        return seconds_since(role)
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error


def _excuse(role: Role) -> str:
    """Return why it could not have worked, or ""."""
    try:
        with Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=BROKER_SECONDS,
            socket_connect_timeout=BROKER_SECONDS,
        ) as broker:
            waiting = broker.llen(current_app.conf.task_default_queue)
    except (RedisError, OSError):
        return "the broker is unavailable"
    return "" if role is Role.BEAT or waiting else "nothing waits for it"
