"""Rounds, clocks and progress messages that all measurements share."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Subject = TypeVar("Subject")
Result = TypeVar("Result")
Figures = TypeVar("Figures", bound="DataclassInstance")


def say(text: str) -> None:
    """Print progress to standard error; standard output is for the report."""
    print(text, file=sys.stderr, flush=True)


def measure_in_turn(
    title: str,
    rounds: int,
    measurements: Mapping[Subject, Callable[[], Result]],
    *,
    warm_up: bool = False,
) -> dict[Subject, list[Result]]:
    """Measure every subject once a round, in alternating order.

    Other work on the machine then slows all subjects alike. The results of a warm-up
    round are discarded.
    """
    results: dict[Subject, list[Result]] = {subject: [] for subject in measurements}
    for number in range(0 if warm_up else 1, rounds + 1):
        say(f"{title}, round {number} of {rounds} …")
        in_turn = list(measurements.items())
        for subject, measure in in_turn if number % 2 else reversed(in_turn):
            result = measure()
            if number:
                results[subject].append(result)
    return results


def medians(results: Sequence[Figures]) -> Figures:
    """Return the median of each field."""
    fields = zip(*map(astuple, results), strict=True)
    return type(results[0])(*map(median, fields))


def timed(call: Callable[[], Result]) -> tuple[Result, float]:
    """Return a call's result, and how many milliseconds it took."""
    started = time.perf_counter()
    result = call()
    return result, (time.perf_counter() - started) * 1000


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that ``percent`` of all values do not exceed."""
    ordered = sorted(values)
    rank = math.ceil(len(ordered) * percent / 100)
    return ordered[max(rank, 1) - 1]
