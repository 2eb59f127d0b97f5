"""One run: everything started, measured in turn, and stopped."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.core.management import call_command

from bench.harness.database import copy_database
from bench.harness.machine import MachineWatch
from bench.harness.servers import Servers, running_edge
from bench.pulls.cold import measure_cold
from bench.pulls.decision import measure_decisions
from bench.pulls.images import push_images
from bench.pulls.plan import Plan
from bench.pulls.results import PullResults, Results
from bench.pulls.rounds import Say, check_targets, measure_large, measure_small
from bench.pulls.targets import make_targets
from bench.pulls.tokens import measure_tokens
from bench.pulls.vendor import create_vendor

DATABASES = ("bench_few", "bench_many")


def run(servers: Servers, plan: Plan, say: Say) -> Results:
    """Measure everything on servers that are running.

    Raises:
        BenchError: something that was measured did not give the right answers.
        LocalStackError: an edge did not start.
    """
    say("Preparing the database and the images …")
    watch = MachineWatch.start()
    call_command("migrate", interactive=False, verbosity=0)
    for name in DATABASES:
        copy_database(name)
    pulls = _measure_pulls(servers, plan, say)
    few, many = measure_decisions(DATABASES, plan, say)
    return Results(plan, watch.finish(), pulls, few, many)


def _measure_pulls(servers: Servers, plan: Plan, say: Say) -> PullResults:
    vendor = create_vendor(servers)
    images = push_images(servers.upstream.url, plan)
    port = urlsplit(f"//{servers.token_service_host}").port
    with running_edge(servers, port), running_edge(servers) as edge:
        targets = make_targets(servers, edge, vendor)
        check_targets(targets, images)
        return PullResults(
            targets=[target.name for target in targets],
            small=measure_small(targets, images, plan, say),
            large=measure_large(targets, images, plan, edge, say),
            tokens=measure_tokens(edge, vendor, plan, say),
            cold=measure_cold(servers, edge, vendor, images, plan, say),
        )
