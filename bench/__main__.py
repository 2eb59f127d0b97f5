"""Measure Berth on this machine, or seed licenses with ``seed --licenses N``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial

import django

from bench.harness.errors import BenchError
from bench.harness.report import Report, write_json, write_report
from bench.harness.rounds import say
from bench.harness.servers import running_servers
from deploy.local.demo_settings import PROJECT
from deploy.local.process import LocalStackError

PAGE = PROJECT / "docs" / "performance.md"
FIGURES = PROJECT / "docs" / "performance.json"
QUICK_FIGURES = PROJECT / "var" / "performance-quick.json"
PULLS = "pulls"
SEED = "seed"
REVOCATION = "revocation"
COMMANDS = (PULLS, "pages", "checks", "tokens", "installer", REVOCATION, SEED)


def main() -> int:
    # A closed terminal and `kill` stop all servers as cleanly as Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    options = _parse()
    try:
        if options.command == SEED:
            _seed(options.licenses)
        else:
            _measure(options)
    except (BenchError, LocalStackError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; no document was updated.", file=sys.stderr)
        return 130
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("command", nargs="?", choices=COMMANDS, default=PULLS)
    parser.add_argument(
        "--quick", action="store_true", help="short rounds; updates no document"
    )
    parser.add_argument(
        "--licenses",
        type=int,
        metavar="N",
        help="seed: how many licenses to add to the database in DATABASE_URL",
    )
    parser.add_argument(
        "--before", metavar="REV", help="pulls: the revision to compare with"
    )
    _add_revocation_options(parser)
    options = parser.parse_args()
    if (options.command == SEED) != (options.licenses is not None):
        parser.error("seed requires --licenses, and no other command accepts it")
    if options.before is not None and options.command != PULLS:
        parser.error("only pulls accepts --before")
    special = (options.seed, options.download_seconds) != (None, None)
    if special and options.command != REVOCATION:
        parser.error("only revocation accepts --seed and --download-seconds")
    return options


def _add_revocation_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=int, metavar="N", help="revocation: repeat a run's choices"
    )
    parser.add_argument(
        "--download-seconds",
        type=float,
        metavar="S",
        help="revocation: how long a download may run on after a commit",
    )


def _measure(options: argparse.Namespace) -> None:
    name = options.command
    started = time.monotonic()
    say("Starting PostgreSQL and Valkey …")
    with running_servers() as servers:
        os.environ.update(servers.environment)
        django.setup()
        from bench.harness.machine import MachineWatch

        watch = MachineWatch.start()
        result = _measurements(options)[name](servers, quick=options.quick)
        machine = watch.finish()
    report = result.render(name, machine)
    print(f"\n{report}\n")
    say(f"Measured in {time.monotonic() - started:.0f} s.")
    figures = QUICK_FIGURES if options.quick else FIGURES
    write_json(figures, name, result.as_json(machine))
    say(f"Updated {figures.relative_to(PROJECT)}.")
    if not options.quick:
        write_report(PAGE, name, report)
        say(f"Updated {PAGE.relative_to(PROJECT)}.")


def _measurements(options: argparse.Namespace) -> dict[str, Callable[..., Report]]:
    # Models can be imported only after django.setup().
    from bench.checks.run import measure_claims_and_checks
    from bench.installer import measure_installer
    from bench.pages.run import measure_pages
    from bench.pulls.run import measure_pulls
    from bench.revisions.tree import BEFORE
    from bench.revocation.run import measure_revocation
    from bench.tokens.run import measure_tokens

    return {
        PULLS: partial(measure_pulls, before=options.before or BEFORE),
        "pages": measure_pages,
        "checks": measure_claims_and_checks,
        "tokens": measure_tokens,
        "installer": measure_installer,
        REVOCATION: partial(
            measure_revocation,
            seed=options.seed,
            download_seconds=options.download_seconds,
        ),
    }


def _seed(licenses: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    # Models can be imported only now.
    from bench.seed.licenses import seed_licenses

    seed_licenses(licenses)


if __name__ == "__main__":
    sys.exit(main())
