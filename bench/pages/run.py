"""``python -m bench pages``: the portal's pages, with a large team."""

from __future__ import annotations

from dataclasses import dataclass

from bench.harness.report import Report
from bench.harness.rounds import say
from bench.harness.servers import Servers, running_module
from bench.pages.addresses import Address, other_pages
from bench.pages.downloads import download_routes
from bench.pages.lists import list_addresses
from bench.pages.paint import first_paints
from bench.pages.report import Measured, Page
from bench.pages.requests import Visitor
from bench.pages.searches import search_addresses
from bench.pages.values import Values
from bench.seed.bulk import analyze
from bench.seed.crowd import seed_crowd
from licenses.models import License
from portal.database.deadlines import waiting_as_long_as_it_takes
from teams.models import Team
from tests.support.browser.screenshots import SHOWN_HOSTS
from tests.support.example.data import fill_example_team

SLUG = "crowd"
_PORTAL = ("granian", "--interface", "wsgi", "--blocking-threads", "8")


@dataclass(frozen=True, slots=True)
class PagePlan:
    """The size of the team, and how often each address is requested."""

    customers: int
    pulls: int
    calls: int


FULL = PagePlan(customers=100_000, pulls=1_000_000, calls=20)
QUICK = PagePlan(customers=2_000, pulls=20_000, calls=2)


def measure_pages(servers: Servers, *, quick: bool) -> Report:
    """Measure every page, list, search and download, and what Chromium paints.

    Raises:
        BenchError: a page failed, or is measured nowhere.
        LocalStackError: the portal did not start.
    """
    plan = QUICK if quick else FULL
    say(f"Seeding {plan.customers:,} customers and {plan.pulls:,} counted pulls …")
    with waiting_as_long_as_it_takes():
        values = _seed(plan)
        addresses = [
            *list_addresses(values),
            *search_addresses(values),
            *other_pages(values.example),
        ]
    with running_module(
        *_PORTAL,
        "portal.wsgi:application",
        env=servers.environment | SHOWN_HOSTS,
        log=servers.directory,
    ) as portal:
        return _measure(f"http://{portal.host}", plan, values, addresses).report()


def _seed(plan: PagePlan) -> Values:
    example = fill_example_team(SLUG)
    team = Team.objects.get(slug=SLUG)
    busiest = License.objects.for_team(team.pk).get(pk=example.ids["license_id"])
    seed_crowd(team, busiest, customers=plan.customers, pulls=plan.pulls)
    analyze()
    return Values(team, example)


def _measure(
    url: str, plan: PagePlan, values: Values, addresses: list[Address]
) -> Measured:
    sessions = values.example.sessions
    visitors = {
        name: Visitor(url, sessions.get(name)) for name in (*sessions, "nobody")
    }
    say(f"{len(addresses)} addresses …")
    pages = [
        _repeat(visitors[address.visitor], address, plan.calls) for address in addresses
    ]
    say("Downloads …")
    downloads = {
        route: visitors[name].download(values.path(route))
        for route, name in download_routes()
    }
    say("First paints …")
    paints = first_paints(url, values)
    return Measured(plan.customers, plan.pulls, pages, downloads, paints)


def _repeat(visitor: Visitor, address: Address, calls: int) -> Page:
    _warm_up, *answers = [visitor.request(address) for _ in range(1 + calls)]
    return Page(address, answers)
