"""``python -m bench revocation``: a proof that rights end within a second."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random, SystemRandom
from threading import Event

from bench.harness.errors import BenchError
from bench.harness.logins import logins_of
from bench.harness.report import Report
from bench.harness.rounds import say
from bench.harness.servers import Servers
from bench.harness.tools import require_tools
from bench.pulls.vendor import OPEN, create_vendor
from bench.revocation.checker import check
from bench.revocation.clients import Clients
from bench.revocation.clock import Clock
from bench.revocation.generator import Changes, Pulls
from bench.revocation.history import History
from bench.revocation.nemesis import trouble
from bench.revocation.plan import FULL, QUICK, Plan
from bench.revocation.report import make_report
from bench.revocation.requests import Requests
from bench.revocation.stack import RunningStack, push_content, running_stack
from bench.revocation.writer import Writer, issue_licenses
from deploy.local.demo_settings import PROJECT
from deploy.local.nginx import NGINX
from portal.celery import app
from portal.crypto.secrets import Secret

SHOWN = 5


def measure_revocation(
    servers: Servers,
    *,
    quick: bool,
    seed: int | None = None,
    download_seconds: float | None = None,
) -> Report:
    """Record a history and check it.

    Without a ``seed``, one is drawn. ``download_seconds`` replaces the promise.

    Raises:
        BenchError: nginx is missing, or an answer broke a promise. The message shows
            it, and names the file with the whole history.
        LocalStackError: a process did not start.
    """
    require_tools("docker-registry")
    if not Path(NGINX).exists():
        raise BenchError("nginx is missing: sudo apt-get install nginx-light")
    plan = QUICK if quick else FULL
    if download_seconds is not None:
        promises = replace(plan.promises, download=download_seconds)
        plan = replace(plan, promises=promises)
    seed = SystemRandom().randrange(10**6) if seed is None else seed
    say(f"Seed {seed}.")
    with running_stack(servers) as stack:
        history = _record(servers, stack, plan, seed)
        hits = stack.hits()
    violations = check(history, plan.promises)
    file = PROJECT / "var" / f"revocation-{seed}.jsonl"
    if violations or not quick:
        history.save(file)
        say(f"The history is in {file}.")
    if violations:
        shown = "\n".join(map(str, violations[:SHOWN]))
        raise BenchError(f"{len(violations)} violations, all in {file}:\n{shown}")
    return make_report(history, plan, seed, hits)


def _record(servers: Servers, stack: RunningStack, plan: Plan, seed: int) -> History:
    # Its own commits are all that counts: they must not wait for a frozen broker.
    app.conf.update(broker_url="memory://localhost")
    # It warns of each try while PostgreSQL is killed.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    vendor = create_vendor()
    vendor.connect(OPEN, servers.settings.sample_host, Secret("unused"))
    licenses = issue_licenses(vendor, plan.licenses)
    requests = Requests(
        stack.hosts,
        push_content(stack.upstream, plan.download_bytes),
        logins_of(vendor, licenses),
    )
    history, clock, stopped = History(), Clock(), Event()
    pulls = Pulls(Random(f"{seed} pulls"), plan.licenses)
    changes = Changes(Random(f"{seed} changes"), plan.licenses, plan.change_pause)
    clients = Clients(
        plan,
        requests,
        pulls,
        Random(f"{seed} clients"),
        clock,
        history.answers,
        stopped,
    )
    writer = Writer(vendor, licenses, changes, pulls, clock, history.changes, stopped)
    say(f"Pulling for {plan.seconds:g} s …")
    with ThreadPoolExecutor(2) as threads:
        try:
            working = [threads.submit(clients.run), threads.submit(writer.run)]
            nemesis = Random(f"{seed} nemesis")
            history.troubles += trouble(
                nemesis, stack.victims, clock, plan.trouble_pause, plan.seconds
            )
        finally:
            stopped.set()
    for part in working:
        part.result()
    return history
