from __future__ import annotations

from bench.harness.client import token_request
from bench.harness.load import Load, load
from bench.harness.servers import Edge
from bench.pulls.images import REPOSITORY
from bench.pulls.plan import Plan
from bench.pulls.rounds import Say, median_load
from bench.pulls.targets import proxied
from bench.pulls.vendor import OPEN, Vendor


def measure_tokens(edge: Edge, vendor: Vendor, plan: Plan, say: Say) -> Load:
    """Ask for a token with a license and one scope, over and over."""
    say("Tokens …")
    request = token_request(edge.host, vendor.license_id, proxied(OPEN, REPOSITORY))
    pid = edge.process.pid
    return median_load(
        [load(request, plan.load_seconds, pid) for _ in range(plan.rounds)]
    )
