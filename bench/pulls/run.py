"""``python -m bench``: pulls, tokens and decisions."""

from __future__ import annotations

from bench.harness.report import Report
from bench.harness.rounds import say
from bench.harness.servers import Servers, running_edge
from bench.harness.tools import require_tools
from bench.pulls.cold import measure_cold
from bench.pulls.decision import measure_decisions
from bench.pulls.images import push_images
from bench.pulls.plan import FULL, QUICK, Plan
from bench.pulls.registries import Registries, running_registries
from bench.pulls.report import PullResults, make_report
from bench.pulls.rounds import (
    check_targets,
    measure_large,
    measure_small,
    measure_tokens,
)
from bench.pulls.targets import make_targets
from bench.pulls.vendor import OPEN, WITH_TOKENS, Vendor, create_vendor
from bench.seed.databases import copy_databases
from portal.crypto.secrets import Secret


def measure_pulls(servers: Servers, *, quick: bool) -> Report:
    """Measure pulls, tokens and decisions.

    Raises:
        BenchError: a server answered wrongly, or a tool is missing.
        LocalStackError: a server did not start.
    """
    require_tools("wrk", "curl", "docker-registry")
    plan = QUICK if quick else FULL
    copy_databases()
    say("Pushing images …")
    vendor = create_vendor()
    with running_registries(servers) as registries:
        _connect(servers, registries, vendor)
        pulls = _measure(servers, registries, vendor, plan)
    return make_report(pulls, measure_decisions(plan))


def _connect(servers: Servers, registries: Registries, vendor: Vendor) -> None:
    vendor.connect(OPEN, registries.upstream.host, Secret("unused"))
    realm = servers.settings.portal_host
    token = vendor.create_token()
    vendor.connect(WITH_TOKENS, registries.token_upstream.host, token, realm)


def _measure(
    servers: Servers, registries: Registries, vendor: Vendor, plan: Plan
) -> PullResults:
    images = push_images(f"http://{registries.upstream.host}", plan)
    license_id = vendor.issue_license()
    environment, directory = servers.environment, servers.directory
    token_port = servers.settings.portal_port
    with (
        running_edge(environment, directory, token_port),
        running_edge(environment, directory) as edge,
    ):
        targets = make_targets(registries, edge, license_id)
        check_targets(targets, images)
        return PullResults(
            plan=plan,
            targets=[target.name for target in targets],
            small=measure_small(targets, images, plan),
            large=measure_large(targets, images, plan, edge),
            tokens=measure_tokens(edge, license_id, plan),
            cold=measure_cold(servers, edge, vendor, images, plan),
        )
