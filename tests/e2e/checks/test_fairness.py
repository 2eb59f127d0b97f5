"""One team's alerts delay no other team's, whatever its receivers do."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from tests.support.servers.canned_server import silent_server
from tests.support.stacks.check_stack import CheckStack, start_check_stack

# Generous for a busy machine: without fair claiming it takes minutes.
QUICK_SECONDS = 10
_numbers = itertools.count()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckStack]:
    """Servers of these tests alone, which leave them thousands of deliveries."""
    with start_check_stack(tmp_path_factory.mktemp("fairness")) as servers:
        yield servers


def team_with_webhook(stack: CheckStack, url: str = "") -> str:
    """Make a team whose webhook posts to the receiver, or to ``url``."""
    team = f"fair{next(_numbers)}"
    stack.seed("team", slug=team)
    webhook = stack.seed("webhook", team=team, url=stack.receiver.url)
    if url:
        stack.sql("UPDATE alerts_webhook SET url = %s WHERE id = %s", url, webhook)
    return team


def seconds_until_posted(stack: CheckStack, team: str) -> float:
    """Raise one alert of a team; return how long its webhook takes to arrive."""
    started = time.monotonic()
    stack.seed("alerts", team=team, number=1)
    stack.wait_for(
        "posted",
        lambda: any(f'"team":"{team}"' in got.body for got in stack.receiver.received),
    )
    return time.monotonic() - started


def wait_for_first_attempts(stack: CheckStack, team: str) -> None:
    def are_under_way() -> bool:
        ((number,),) = stack.sql(
            "SELECT count(*) FROM alerts_delivery deliveries"
            " JOIN teams_team teams ON teams.id = deliveries.team_id"
            " WHERE slug = %s AND webhook_id IS NOT NULL AND due_at > now()",
            team,
        )
        return int(number) > 0

    stack.wait_for("under way", are_under_way)


@pytest.mark.parametrize("flood", [100, 2000])
def test_a_silent_receiver_delays_no_other_team(stack: CheckStack, flood: int) -> None:
    with silent_server() as endpoint:
        slow = team_with_webhook(stack, f"http://{endpoint}/hook")
        other = team_with_webhook(stack)
        stack.seed("alerts", team=slow, number=flood)
        stack.start_worker()
        wait_for_first_attempts(stack, slow)
        seconds = []
        for _ in range(3):
            stack.receiver.received.clear()
            seconds.append(seconds_until_posted(stack, other))
            time.sleep(2)

    assert max(seconds) < QUICK_SECONDS
