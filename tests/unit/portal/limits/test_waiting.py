from __future__ import annotations

from contextlib import ExitStack

import pytest

from portal.errors import Busy, TooMany
from portal.limits.waiting import waiting


def hold(stack: ExitStack, *holders: str) -> None:
    for holder in holders:
        stack.enter_context(waiting(holder))


def test_a_team_has_its_share() -> None:
    with ExitStack() as stack:
        hold(stack, "acme", "acme")
        with pytest.raises(TooMany) as refused:
            hold(stack, "acme")
        hold(stack, "rival")

    assert not isinstance(refused.value, Busy)
    assert (refused.value.code, refused.value.retry_after) == ("too_many_at_once", 5)
    assert refused.value.message == (
        "Too many of your requests are waiting for other servers. Wait until one of "
        "them has finished, then retry."
    )


def test_all_teams_together_leave_threads_free() -> None:
    with ExitStack() as stack:
        hold(stack, "acme", "acme", "rival")
        with pytest.raises(Busy) as refused:
            hold(stack, "another")

    assert (refused.value.code, refused.value.retry_after) == ("busy", 5)
    assert refused.value.message == (
        "Too many requests are waiting for other servers. Retry in a few seconds."
    )


def test_the_last_place_is_for_signing_in() -> None:
    with ExitStack() as stack:
        hold(stack, "acme", "acme", "rival")
        with pytest.raises(Busy):
            hold(stack, "rival")
        stack.enter_context(waiting("192.0.2.1", signs_in=True))
        with pytest.raises(Busy):
            stack.enter_context(waiting("192.0.2.2", signs_in=True))

    with ExitStack() as stack:
        hold(stack, "acme", "acme", "rival")


def test_a_request_that_fails_waits_no_longer() -> None:
    for _ in range(3):
        with pytest.raises(OSError, match="broke"), waiting("acme"):
            raise OSError("The connection broke.")

    with waiting("acme"), waiting("acme"):
        pass
