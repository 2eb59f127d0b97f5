from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from edge.cache.eviction import evictor
from edge.pull_log.manager import AlreadyManaged, CacheManager
from edge.pull_log.stopping import Stopping
from registries.pulls.log_position import PositionMoved


class Command(BaseCommand):
    # They import every page, and it serves none: 40 % of the time that a start takes.
    requires_system_checks: list[str] = []
    help = (
        "Count the pulls in nginx's log, and keep the disk cache within its limits. "
        "Run one on each host with an nginx; SIGTERM ends it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--log", type=Path, help="The log (default: BERTH_PULL_LOG)."
        )

    def handle(self, *args: object, **options: Any) -> None:
        log = options["log"] or settings.BERTH_PULL_LOG
        cache_dir = settings.BERTH_CACHE_DIR
        if not log and not cache_dir:
            raise CommandError("Set BERTH_PULL_LOG or BERTH_CACHE_DIR, or use --log.")
        stopping = Stopping()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        manager = CacheManager(
            Path(log).absolute() if log else None,
            stopping,
            cache_dir=Path(cache_dir) if cache_dir else None,
            evictor=evictor(Path(cache_dir)) if cache_dir else None,
        )
        try:
            manager.run()
        except (AlreadyManaged, PositionMoved) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            # Not always the log: it may be the lock file beside it.
            name = error.filename or log
            raise CommandError(f"{name} cannot be used: {error.strerror}") from error
