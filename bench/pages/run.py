"""``python -m bench pages``: the portal's lists and searches, with a large team."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import urllib3
from django.test import Client

from bench.harness.errors import BenchError
from bench.harness.report import Goal, Report, table
from bench.harness.rounds import percentile, say, timed
from bench.harness.servers import Server, Servers, running_module
from bench.pages.addresses import Address, page_addresses
from bench.seed.bulk import analyze
from bench.seed.crowd import seed_crowd
from bench.seed.licenses import seed_vendor
from teams.models import User
from teams.services import create_team

WARM_UP = 3
CALLS = 20
GOAL_MS = 200


@dataclass(frozen=True, slots=True)
class PagePlan:
    """The size of the team."""

    customers: int
    pulls: int


FULL = PagePlan(customers=100_000, pulls=1_000_000)
QUICK = PagePlan(customers=2_000, pulls=20_000)


def measure_pages(servers: Servers, *, quick: bool) -> Report:
    """Measure every list and search.

    Raises:
        BenchError: a page failed, or lacked its expected text.
        LocalStackError: the portal did not start.
    """
    plan = QUICK if quick else FULL
    say(f"Seeding {plan.customers:,} customers and {plan.pulls:,} counted pulls …")
    owner = User.objects.create_user("owner@bench.example")
    team = create_team(name="Crowd", slug="crowd", owner=owner)
    seed_vendor(team)
    seed_crowd(team, customers=plan.customers, pulls=plan.pulls)
    analyze()
    client = Client()
    client.force_login(owner)
    session = client.cookies["sessionid"].value
    with running_module(
        *("granian", "--interface", "wsgi", "--blocking-threads", "8"),
        "portal.wsgi:application",
        env=servers.environment,
        log=servers.directory,
    ) as portal:
        say("Pages …")
        times = {
            address.name: _measure(portal, session, address)
            for address in page_addresses(team)
        }
    return _report(plan, times)


def _measure(portal: Server, session: str, address: Address) -> list[float]:
    """Repeat a request, one at a time; return the milliseconds of each."""
    pool = urllib3.PoolManager(
        headers={"Cookie": f"sessionid={session}"}, retries=False
    )
    request = partial(pool.request, "GET", f"http://{portal.host}{address.path}")
    times = []
    for _ in range(WARM_UP + CALLS):
        response, milliseconds = timed(request)
        if response.status != 200 or address.shows not in response.data.decode():
            raise BenchError(
                f"{address.path} gave {response.status}, without {address.shows!r}."
            )
        times.append(milliseconds)
    return times[WARM_UP:]


def _report(plan: PagePlan, pages: Mapping[str, Sequence[float]]) -> Report:
    about = (
        f"One team with {plan.customers:,} customers, as many licenses, and "
        f"{plan.pulls:,} counted pulls. Milliseconds of whole requests, one at a time, "
        f"over loopback to the portal under granian; {CALLS} per page."
    )
    head = ("Page", "Median", "p95", f"Under {GOAL_MS} ms")
    rows = (_row(name, times) for name, times in pages.items())
    return Report({"Pages": f"{about}\n\n{table(head, rows)}"})


def _row(name: str, times: Sequence[float]) -> tuple[str, ...]:
    p95 = percentile(times, 95)
    goal = Goal(name, p95, "under", GOAL_MS)
    return (name, f"{median(times):.0f} ms", f"{p95:.0f} ms", goal.verdict)
