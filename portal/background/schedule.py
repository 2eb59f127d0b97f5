"""Beat's schedule, which all beats of an installation share.

Redis has when each task was last due, so nothing is written to a disk, and a task is
sent once, however many beats run. Redis is the broker too: without it, none could send.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from celery.beat import ScheduleEntry, Scheduler
from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from portal.background.heartbeat import Role, note

# For one round trip. Beat does nothing else meanwhile.
SECONDS = 5
# Longer than the time between two runs of any task.
FORGOTTEN_AFTER_SECONDS = 8 * 24 * 3600
# Replaces an instant if it is still the one that this beat has read.
_REPLACE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""
logger = logging.getLogger(__name__)


class SharedScheduler(Scheduler):
    """Sends each task that is due unless another beat has done so.

    If the instants are lost with Redis, each beat still knows those that it has seen.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._redis = Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            decode_responses=True,
        )
        self._replace = self._redis.register_script(_REPLACE)
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Begin where the beats before this one have stopped."""
        super().setup_schedule()
        try:
            for name, entry in self.schedule.items():
                if last := self._last_run(name):
                    entry.last_run_at = last
        except RedisError as error:
            logger.warning("Beat begins without the last runs: %s", error)

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send a task that is due here, unless it is not due for all."""
        try:
            is_ours = self._claim(str(entry.name))
        except RedisError as error:
            logger.warning("The broker is unavailable; %s waits: %s", entry.name, error)
            return
        if is_ours:
            super().apply_entry(entry, producer)
        else:
            note(Role.BEAT)

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        """Send a task; raises SchedulingError as in Celery."""
        sent = super().apply_async(*args, **kwargs)
        note(Role.BEAT)
        return sent

    def _claim(self, name: str) -> bool:
        entry: Any = self.schedule[name]
        last = self._last_run(name)
        if last and not entry.schedule.is_due(last).is_due:
            self._adopt(name, last)
            return False
        if self._replace(
            keys=[_key(name)],
            args=[_text(last), _text(entry.last_run_at), FORGOTTEN_AFTER_SECONDS],
        ):
            return True
        self._adopt(name, self._last_run(name) or entry.last_run_at)
        return False

    def _adopt(self, name: str, last: datetime) -> None:
        """Wait from another beat's run on."""
        self.schedule[name].last_run_at = last
        self._heap = None  # is made anew, in the order of the next runs

    def _last_run(self, name: str) -> datetime | None:
        text = self._redis.get(_key(name))
        return datetime.fromisoformat(str(text)) if text else None


def _key(name: str) -> str:
    return f"berth:beat:{name}"


def _text(instant: datetime | None) -> str:
    return instant.isoformat() if instant else ""
