"""``python -m bench checks``: choosing what is due, and checking it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command

from bench.checks.claims import ClaimTimes, measure_claims
from bench.checks.worker import (
    CheckSpeed,
    measure_checks,
    running_upstreams,
    running_worker,
)
from bench.harness.machine import LOAD, MachineWatch
from bench.pulls.goals import Goal
from bench.pulls.report import met_and_missed, table
from bench.pulls.rounds import Say
from bench.seed.registries import Login, plan_checks, seed_registries
from portal.crypto.secrets import Secret

CLAIM_MS = 50
CHECKS_PER_SECOND = 100


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """The sizes of one run."""

    registries: int
    claims: int
    checks: int
    rounds: int


FULL = CheckPlan(registries=100_000, claims=300, checks=2_000, rounds=3)
QUICK = CheckPlan(registries=5_000, claims=50, checks=300, rounds=1)


def run_checks(directory: Path, say: Say, *, quick: bool) -> str:
    """Measure claims and checks; return the report.

    Raises:
        BenchError: claims did not give what they should.
        LocalStackError: a server did not start, or checks did not sign in.
    """
    plan = QUICK if quick else FULL
    watch = MachineWatch.start()
    call_command("migrate", interactive=False, verbosity=0)
    say(f"Seeding {plan.registries:,} registries …")
    seed_registries(plan.registries)
    claims = list(measure_claims(plan.claims, say))
    # They stay, so that the checks are made among many others.
    plan_checks(due=0)
    speeds = list(_measure_speeds(directory, plan, say))
    return _render(plan, claims, speeds, watch.finish())


def _measure_speeds(directory: Path, plan: CheckPlan, say: Say) -> Iterator[CheckSpeed]:
    login = Login("bench", Secret(secrets.token_urlsafe(16)))
    with (
        running_upstreams(directory, login) as upstreams,
        running_worker(directory, upstreams) as worker,
    ):
        for upstream in upstreams:
            yield measure_checks(
                worker,
                upstream,
                login,
                checks=plan.checks,
                rounds=plan.rounds,
                say=say,
            )


def _render(
    plan: CheckPlan,
    claims: list[ClaimTimes],
    speeds: list[CheckSpeed],
    machine: Mapping[str, str],
) -> str:
    # No program makes the load here: the worker works off what is due.
    facts = [(name, value) for name, value in machine.items() if name != LOAD]
    judged = [*map(_claim_goal, claims), *map(_speed_goal, speeds)]
    sections = {
        f"Choosing what is due of {plan.registries:,} registries": _claims(claims),
        "Checks by one worker process": _speeds(speeds),
        "Machine of the checks": table(("", ""), facts),
    }
    return "\n\n".join(
        [
            met_and_missed(judged),
            *(f"### {title}\n\n{body}" for title, body in sections.items()),
        ]
    )


def _claim_goal(times: ClaimTimes) -> Goal:
    return Goal(
        name=f"Choosing what is due, p95. {times.name}",
        bound=f"under {CLAIM_MS} ms",
        measured=f"{times.p95_ms:.1f} ms",
        met=times.p95_ms < CLAIM_MS,
    )


def _speed_goal(speed: CheckSpeed) -> Goal:
    return Goal(
        name=f"Checks/s. {speed.upstream}",
        bound=f"at least {CHECKS_PER_SECOND}",
        measured=f"{speed.per_second:.0f}",
        met=speed.per_second >= CHECKS_PER_SECOND,
    )


def _claims(claims: list[ClaimTimes]) -> str:
    return table(
        ("", "Claims", "Registries claimed, median", "p50", "p95", "Longest"),
        (
            (
                each.name,
                f"{each.calls:,}",
                f"{each.claimed:.0f}",
                *(f"{ms:.1f} ms" for ms in (each.p50_ms, each.p95_ms, each.longest_ms)),
            )
            for each in claims
        ),
    )


def _speeds(speeds: list[CheckSpeed]) -> str:
    return table(
        ("The upstream", "Checks", "Checks/s", "The worker's processor time for each"),
        (
            (
                each.upstream,
                f"{each.rounds} times {each.checks:,}",
                f"{each.per_second:.0f}",
                f"{each.cpu_ms:.1f} ms",
            )
            for each in speeds
        ),
    )
