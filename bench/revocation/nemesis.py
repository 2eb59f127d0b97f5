"""Kills and freezes one process after the other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from random import Random

from bench.harness.rounds import say
from bench.revocation.clock import Clock
from bench.revocation.generator import WantedTrouble, draw_trouble
from bench.revocation.history import Process, Trouble
from bench.revocation.victims import Victim


def trouble(
    random: Random,
    victims: Mapping[Process, Victim],
    clock: Clock,
    pause: tuple[float, float],
    seconds: float,
) -> list[Trouble]:
    """Trouble random victims for so many seconds; return what was done.

    All run again at the end. Call this in the main thread: processes end with the
    thread that started them.
    """
    troubles = []
    while True:
        wanted = draw_trouble(random, pause)
        if clock.now() + wanted.pause + wanted.seconds > seconds:
            break
        time.sleep(wanted.pause)
        troubles.append(_trouble(wanted, victims[wanted.victim], clock))
    time.sleep(max(0.0, seconds - clock.now()))
    return troubles


def _trouble(wanted: WantedTrouble, victim: Victim, clock: Clock) -> Trouble:
    what = "killed" if wanted.kills else "frozen"
    say(f"  {clock.now():5.1f} s: {wanted.victim} {what} for {wanted.seconds:.1f} s")
    began = clock.now()
    if wanted.kills:
        victim.kill()
        time.sleep(wanted.seconds / 4)
        victim.restart()
    else:
        victim.freeze()
        time.sleep(wanted.seconds)
        victim.thaw()
    return Trouble(wanted.victim, what, began, clock.now())
