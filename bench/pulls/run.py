"""``python -m bench``: pulls, tokens and decisions, beside the commit before."""

from __future__ import annotations

from pathlib import Path

from bench.harness.errors import BenchError
from bench.harness.processes import peak_memory_bytes
from bench.harness.report import Report
from bench.harness.rounds import say
from bench.harness.servers import Servers, running_edge
from bench.harness.tools import require_tools
from bench.pulls.cold import FirstPulls
from bench.pulls.images import Images, push_images
from bench.pulls.places import Places, running_places
from bench.pulls.plan import FULL, QUICK, Plan
from bench.pulls.pullers import REGISTRY, Tokens, draw_crowd, one_of_each_other_team
from bench.pulls.registries import Registries, running_registries
from bench.pulls.report import make_report
from bench.pulls.results import PullResults
from bench.pulls.rounds import LargeBlob, check_targets, measure_small
from bench.pulls.targets import BEFORE, EDGE_DISK, EDGE_PASSING_ON, make_targets
from bench.pulls.vendor import WITH_TOKENS, Vendor, create_vendor
from bench.revisions.pair import Age, Revisions, largest, running_revisions
from bench.revisions.rounds import compare
from bench.seed.databases import use_database
from deploy.local.nginx import NGINX


def measure_pulls(servers: Servers, *, quick: bool, before: str) -> Report:
    """Measure pulls, tokens and decisions of this code and of the revision ``before``.

    Raises:
        BenchError: a server answered wrongly, or a tool is missing.
        LocalStackError: a server did not start.
    """
    require_tools("wrk", "curl", "docker-registry", "git")
    if not Path(NGINX).exists():
        raise BenchError(
            "nginx is missing: sudo apt-get install nginx-light libnginx-mod-http-lua"
        )
    plan = QUICK if quick else FULL
    sizes = (plan.few_licenses, plan.many_licenses)
    with (
        running_revisions(servers, before, sizes) as revisions,
        running_registries(servers) as registries,
    ):
        return make_report(_measure(servers, revisions, registries, plan))


def _measure(
    servers: Servers, revisions: Revisions, registries: Registries, plan: Plan
) -> PullResults:
    now = largest(revisions, Age.NOW).database
    for age in Age:
        code = largest(revisions, age).code
        code.move_registries(REGISTRY, registries.upstream.host)
    use_database(now.name)
    vendor = _connected_vendor(servers, registries)
    say("Pushing images …")
    images = push_images(f"http://{registries.upstream.host}", plan)
    token_port = servers.settings.portal_port
    with (
        running_edge(now.environment, servers.directory, token_port),
        running_places(servers, registries, revisions, images) as places,
    ):
        return _measure_places(servers, revisions, places, images, vendor, plan)


def _connected_vendor(servers: Servers, registries: Registries) -> Vendor:
    vendor = create_vendor()
    token = vendor.create_token()
    realm = servers.settings.portal_host
    vendor.connect(WITH_TOKENS, registries.token_upstream.host, token, realm)
    return vendor


def _measure_places(
    servers: Servers,
    revisions: Revisions,
    places: Places,
    images: Images,
    vendor: Vendor,
    plan: Plan,
) -> PullResults:
    comparison = compare(revisions, plan.comparison)
    tokens, crowd = Tokens(), draw_crowd(plan.crowd)
    license = largest(revisions, Age.BEFORE).code.license()
    targets = make_targets(places, tokens, crowd, license)
    check_targets(targets, images)
    small = measure_small(targets, images, plan)
    newcomers = one_of_each_other_team(crowd[0])
    large = LargeBlob(targets, images, plan, tokens, newcomers).measure()
    berth = places.berth
    environment = largest(revisions, Age.NOW).database.environment
    return PullResults(
        plan=plan,
        comparison=comparison,
        small=small,
        large=large,
        first=FirstPulls(vendor, images, plan).measure(
            berth.plain, berth.front, environment, servers.directory
        ),
        peak_bytes={
            EDGE_DISK: peak_memory_bytes(berth.edge.pid),
            EDGE_PASSING_ON: peak_memory_bytes(berth.plain.pid),
            BEFORE: peak_memory_bytes(berth.before.pid),
        },
    )
