"""The facts of decisions, from connections to PostgreSQL that block no thread.

Neither Django's ORM nor its connections take part: both are synchronous, and building
a query takes them longer than PostgreSQL needs to answer it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    nullcontext,
)
from typing import Any, Self, TypeVar

import psycopg
from django.conf import settings
from django.db import OperationalError, connection
from psycopg import AsyncConnection, waiting
from psycopg.abc import PQGen
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from edge.together import Together
from edge.turns import TURN_SECONDS, Turns
from portal.database.connection import INTERVAL
from portal.database.deadlines import REQUEST_SECONDS
from portal.database.outage import STATEMENT_TIMEOUT_SECONDS, outage
from portal.limits.fair_share import FairShare
from registries.decision.facts import Facts
from registries.decision.query import (
    STATEMENT,
    FactsQuery,
    read_facts,
    statement_parameters,
)

T = TypeVar("T")
# For all turns and answers of one request. Clients give up after half a minute, and
# then begin again.
WHOLE_SECONDS = TURN_SECONDS + REQUEST_SECONDS
# In one round trip, and so in memory. It takes PostgreSQL a few milliseconds.
MOST_IMAGES = 32
_NO_OTHER_TURN = nullcontext()
# Planning the statement takes longer than running it, and its plan does not depend on
# the values.
_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
}


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """Limit the time that one request's questions take together.

    Raises:
        django.db.Error: they took longer.
    """
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            yield
    except TimeoutError as error:
        raise OperationalError("The calls of one request took too long.") from error


class _Connection(AsyncConnection[TupleRow]):
    """Is closed if a wait for the server is interrupted.

    psycopg would ask the server to cancel the statement, and wait again. A frozen
    server does not answer that either.
    """

    async def wait(
        self,
        gen: PQGen[T],
        interval: float = INTERVAL,
        timeout: float | None = None,  # noqa: ASYNC109 -- as in psycopg
    ) -> T:
        try:
            return await waiting.wait_async(
                gen, self.pgconn.socket, interval=interval, timeout=timeout
            )
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise


class FactsSource:
    """Fetches facts over a few connections, which no holder keeps busy alone.

    A holder has ``each`` questions answered at a time; its others wait in turn.
    ``share`` limits how many are under way, waiting ones included.
    """

    def __init__(self, count: int, *, each: int, share: FairShare) -> None:
        """Use ``count`` connections."""
        self._pool = AsyncConnectionPool(
            connection_class=_Connection,
            kwargs=_connection_parameters(),
            configure=_configure,
            min_size=count,
            max_size=count,
            # Gives up soon, so that the next question reconnects at once.
            reconnect_timeout=1,
            open=False,
        )
        self._turns = Turns(each=each, share=share)
        self._together = Together(
            self._fetch,
            round_trips=count,
            most=MOST_IMAGES,
            size=lambda query: max(1, len(query.images)),
        )
        self._failed_at = 0.0

    async def __aenter__(self) -> Self:
        """Begin to connect, without waiting for the database."""
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def fetch_for(
        self,
        holder: Hashable,
        query: FactsQuery,
        *,
        other_turn: AbstractAsyncContextManager[None] = _NO_OTHER_TURN,
    ) -> Facts:
        """Return the facts when it is the holder's turn, then ``other_turn``.

        Raises:
            ShareExceeded: too many questions are waiting, or the turn did not come in
                time.
            django.db.Error: the database failed, for this question or one before it.
        """
        began = time.monotonic()
        async with self._turns.turn(holder), other_turn:
            if self._failed_at > began:
                # Otherwise those in line would each wait for a frozen database in turn.
                raise OperationalError("The database failed while this was in line.")
            return await self._together.ask(query)

    async def _fetch(self, queries: Sequence[FactsQuery]) -> list[Facts]:
        began = time.monotonic()
        try:
            outage.check()
            async with asyncio.timeout(REQUEST_SECONDS):
                rows = await self._rows_from_live_connection(queries)
        except (psycopg.Error, TimeoutError) as error:
            self._failed_at = time.monotonic()
            outage.waited(self._failed_at - began)
            raise OperationalError("PostgreSQL did not answer") from error
        outage.end()
        return read_facts(queries, rows)

    async def _rows_from_live_connection(
        self, queries: Sequence[FactsQuery]
    ) -> list[TupleRow]:
        try:
            return await self._rows(queries)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            # The server restarted or dropped connections: this one, and maybe all.
            await self._pool.check()
            return await self._rows(queries)

    async def _rows(self, queries: Sequence[FactsQuery]) -> list[TupleRow]:
        async with self._pool.connection() as used:
            cursor = used.cursor(binary=True)
            await cursor.execute(
                STATEMENT,
                statement_parameters(queries),
                prepare=not settings.DATABASE_PGBOUNCER,
            )
            return await cursor.fetchall()


def _connection_parameters() -> dict[str, Any]:
    parameters = connection.get_connection_params()
    for name in ("context", "cursor_factory", "pool", "prepare_threshold"):
        parameters.pop(name, None)
    return {**parameters, "autocommit": True}


async def _configure(new: _Connection) -> None:
    # PgBouncer would leave them to whoever uses the server's connection next.
    if settings.DATABASE_PGBOUNCER:
        return
    for name, value in _SETTINGS.items():
        await new.execute("SELECT set_config(%s, %s, false)", [name, value])
