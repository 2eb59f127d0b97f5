"""``make coverage``: how much of each room the tests run."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path

LEAST_PERCENT = 95
# A process with an environment of its own needs these to be measured.
MEASURED = {
    name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")
}


def main(report: Path) -> int:
    """Print each room's share of lines and branches, and the lines that are left.

    Returns 1 if a room has too few lines.
    """
    rooms: dict[str, Counter[str]] = {}
    for name, file in sorted(json.loads(report.read_text())["files"].items()):
        rooms.setdefault(name.partition("/")[0], Counter()).update(
            {key: n for key, n in file["summary"].items() if isinstance(n, int)}
        )
        if file["missing_lines"]:
            print(f"{name}: {', '.join(map(str, file['missing_lines']))}")
    print(f"\n{'room':<12}{'lines':>8}{'run':>9}{'branches':>10}{'run':>9}")
    return max(_print_room(room, counts) for room, counts in rooms.items())


def _print_room(room: str, counts: Counter[str]) -> int:
    lines, branches = counts["num_statements"], counts["num_branches"]
    run = 100 * counts["covered_lines"] / lines
    taken = 100 * counts["covered_branches"] / branches
    print(f"{room:<12}{lines:>8}{run:>7.1f} %{branches:>10}{taken:>7.1f} %")
    return int(run < LEAST_PERCENT)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
