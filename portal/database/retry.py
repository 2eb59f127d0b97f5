"""Repeats transactions that PostgreSQL ended because of another one."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected, SerializationFailure

P = ParamSpec("P")
T = TypeVar("T")
TRIES = 4
PAUSE_SECONDS = 0.1
logger = logging.getLogger(__name__)


def atomic_with_retry(function: Callable[P, T]) -> Callable[P, T]:
    """Run a function in a transaction, and again after a deadlock, a few times.

    Inside another transaction it runs once: only the outermost can be repeated.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        tries = 1 if connection.in_atomic_block else TRIES
        for number in range(1, tries):
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except OperationalError as error:
                if not isinstance(
                    error.__cause__, DeadlockDetected | SerializationFailure
                ):
                    raise
                logger.warning("%s is repeated: %s", function.__qualname__, error)
                time.sleep(random.uniform(0, number * PAUSE_SECONDS))  # noqa: S311
        with transaction.atomic():
            return function(*args, **kwargs)

    return run
