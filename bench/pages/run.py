"""One run over the portal's pages: a crowded team made, and each page asked for."""

from __future__ import annotations

from pathlib import Path

from django.core.management import call_command
from django.test import Client

from bench.harness.machine import MachineWatch
from bench.pages.addresses import page_addresses
from bench.pages.measure import (
    CUSTOMERS,
    PULLS,
    QUICK_CUSTOMERS,
    QUICK_PULLS,
    measure_pages,
    render,
    running_portal,
)
from bench.pulls.rounds import Say
from bench.seed.crowd import seed_crowd
from bench.seed.licenses import analyze, seed_vendor
from teams.models import User
from teams.services import create_team


def run_pages(directory: Path, say: Say, *, quick: bool) -> str:
    """Measure every list and search; return the report.

    Raises:
        BenchError: a page failed, or did not show what it should.
        LocalStackError: the portal did not start.
    """
    customers, pulls = (QUICK_CUSTOMERS, QUICK_PULLS) if quick else (CUSTOMERS, PULLS)
    watch = MachineWatch.start()
    call_command("migrate", interactive=False, verbosity=0)
    say(f"Seeding {customers:,} customers and {pulls:,} counted pulls …")
    owner = User.objects.create_user("owner@bench.example")
    team = create_team(name="Crowd", slug="crowd", owner=owner)
    seed_vendor(team)
    seed_crowd(team, customers=customers, pulls=pulls)
    analyze()
    client = Client()
    client.force_login(owner)
    session = client.cookies["sessionid"].value
    with running_portal(directory) as host:
        say("Pages …")
        times = list(measure_pages(host, session, page_addresses(team)))
    return render(times, watch.finish(), customers=customers, pulls=pulls)
