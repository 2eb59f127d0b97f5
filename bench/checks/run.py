"""``python -m bench checks``: claiming due registries, and checking them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.checks.claims import ClaimTimes, measure_claims
from bench.checks.worker import CheckSpeed, measure_checks
from bench.harness.report import Goal, Report, table
from bench.harness.rounds import percentile, say
from bench.harness.servers import Servers
from bench.seed.registries import Login, seed_registries
from portal.crypto.secrets import Secret


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """The sizes of one run."""

    registries: int
    claims: int
    checks: int
    rounds: int


FULL = CheckPlan(registries=100_000, claims=300, checks=2_000, rounds=3)
QUICK = CheckPlan(registries=5_000, claims=50, checks=300, rounds=1)


def measure_claims_and_checks(servers: Servers, *, quick: bool) -> Report:
    """Measure claims and checks.

    Raises:
        BenchError: a claim returned too few or too many registries.
        LocalStackError: a server did not start, or a check did not sign in.
    """
    plan = QUICK if quick else FULL
    say(f"Seeding {plan.registries:,} registries …")
    seed_registries(plan.registries)
    claims = list(measure_claims(plan.claims))
    # These registries stay, so that checks are made among many others.
    login = Login("bench", Secret(secrets.token_urlsafe(16)))
    speeds = measure_checks(servers, login, checks=plan.checks, rounds=plan.rounds)
    return Report(
        {
            f"Claiming among {plan.registries:,} registries": _claims(claims),
            "Checks by one worker process": _speeds(plan, speeds),
        },
        [*map(_claim_goal, claims), *_speed_goals(speeds)],
    )


def _claim_goal(times: ClaimTimes) -> Goal:
    p95 = percentile(times.milliseconds, 95)
    return Goal(f"Claiming due registries, p95. {times.name}", p95, "under", 50, " ms")


def _speed_goals(speeds: Mapping[str, CheckSpeed]) -> list[Goal]:
    return [
        Goal(f"Checks/s. {upstream}", speed.per_second, "at least", 100)
        for upstream, speed in speeds.items()
    ]


def _claims(claims: Sequence[ClaimTimes]) -> str:
    head = ("", "Claims", "Registries claimed, median", "p50", "p95", "Longest")
    return table(head, map(_claim_row, claims))


def _claim_row(times: ClaimTimes) -> tuple[str, ...]:
    percentiles = (percentile(times.milliseconds, percent) for percent in (50, 95, 100))
    return (
        times.name,
        f"{len(times.milliseconds):,}",
        f"{median(times.claimed):.0f}",
        *(f"{time:.1f} ms" for time in percentiles),
    )


def _speeds(plan: CheckPlan, speeds: Mapping[str, CheckSpeed]) -> str:
    return table(
        ("Upstream", "Checks", "Checks/s", "Worker processor time per check"),
        (
            (
                upstream,
                f"{plan.rounds} times {plan.checks:,}",
                f"{speed.per_second:.0f}",
                f"{speed.cpu_ms:.1f} ms",
            )
            for upstream, speed in speeds.items()
        ),
    )
