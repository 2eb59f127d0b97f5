"""Measurements: of pulls, or of what a command names; with ``seed`` only rows."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time

import django

from bench.harness.errors import BenchError
from bench.harness.servers import bench_directory, running_servers
from bench.harness.tools import require_tools
from bench.pages.measure import running_database
from bench.pulls.plan import FULL, QUICK
from deploy.local.demo_settings import PROJECT
from deploy.local.process import LocalStackError

PAGE = PROJECT / "docs" / "performance.md"


def main() -> int:
    # A terminal that closes and `kill` end all servers as cleanly as Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    options = _parser().parse_args()
    try:
        if options.command == "seed":
            _seed(options.licenses)
        elif options.command:
            _measure_part(options.command, quick=options.quick)
        else:
            _measure(quick=options.quick)
    except (BenchError, LocalStackError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing was written.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="short rounds; writes no document"
    )
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("pages", help="measure the portal's lists and searches")
    commands.add_parser("checks", help="measure the checks of credentials")
    commands.add_parser("tokens", help="measure token requests at many licenses")
    commands.add_parser("installer", help="measure look-ups, patches and bundles")
    seed = commands.add_parser(
        "seed", help="add licenses to the database that DATABASE_URL names"
    )
    seed.add_argument("--licenses", type=int, required=True, metavar="N")
    return parser


def _measure(*, quick: bool) -> None:
    require_tools()
    started = time.monotonic()
    with bench_directory() as directory, running_servers(directory) as servers:
        os.environ.update(servers.environment)
        django.setup()
        # Models can be imported only now.
        from bench.pulls.report import render, write_report
        from bench.pulls.run import run

        report = render(run(servers, QUICK if quick else FULL, _say))
    print(f"\n{report}\n")
    _say(f"Measured in {time.monotonic() - started:.0f} s.")
    if not quick:
        write_report(PAGE, report)
        _say(f"Wrote {PAGE.relative_to(PROJECT)}.")


def _measure_part(name: str, *, quick: bool) -> None:
    started = time.monotonic()
    with (
        bench_directory() as directory,
        running_database(directory) as environment,
    ):
        os.environ.update(environment)
        django.setup()
        # Models can be imported only now.
        from bench.checks.run import run_checks
        from bench.installer import run_installer
        from bench.pages.run import run_pages
        from bench.pulls.report import CHECKS, INSTALLER, PAGES, TOKENS, write_report
        from bench.tokens.run import run_tokens

        runs = {
            CHECKS: run_checks,
            INSTALLER: run_installer,
            PAGES: run_pages,
            TOKENS: run_tokens,
        }
        report = runs[name](directory, _say, quick=quick)
    print(f"\n{report}\n")
    _say(f"Measured in {time.monotonic() - started:.0f} s.")
    if not quick:
        write_report(PAGE, report, name)
        _say(f"Wrote {PAGE.relative_to(PROJECT)}.")


def _seed(licenses: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    # Models can be imported only now.
    from bench.seed.licenses import analyze, seed_licenses

    started = time.monotonic()
    seed_licenses(licenses)
    analyze()
    _say(f"Added {licenses:,} licenses in {time.monotonic() - started:.0f} s.")


def _say(text: str) -> None:
    # What is measured goes to standard output, what goes on meanwhile does not.
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
