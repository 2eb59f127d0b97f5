from __future__ import annotations

import asyncio
import gc
import uuid

from edge.counts import MinuteCounts

# An open connection that nobody closes is a warning, and so an error, once it is
# collected.


async def test_what_is_being_counted_is_counted_before_the_end() -> None:
    counts = MinuteCounts()
    subject = f"test:{uuid.uuid4()}"

    counting = asyncio.create_task(counts.add({subject: 3}))
    await asyncio.sleep(0)
    await counts.aclose()

    assert await counting == [3]
    gc.collect()


async def test_after_the_end_a_process_counts_for_itself() -> None:
    """A login goes on to its end although its client and the server are leaving."""
    counts = MinuteCounts()
    subject = f"test:{uuid.uuid4()}"
    await counts.aclose()

    assert await counts.add({subject: 1}) == [1]
    assert await counts.add({subject: 1}) == [2]
    gc.collect()
