"""Check the sizes of folders (in modules), files and functions (in lines)."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

MODULES = 15  # in a folder, not counting its __init__
FILE_LINES = 400
TEST_FILE_LINES = 450
FUNCTION_LINES = 46


def main() -> int:
    """Print each place that breaks a rule; return 1 if there is one."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    )
    files = [Path(name) for name in listed.stdout.split() if Path(name).exists()]
    problems = [*_crowded_folders(files), *_long_files_and_functions(files)]
    sys.stdout.writelines(f"{line}\n" for line in problems)
    return 1 if problems else 0


def _crowded_folders(files: list[Path]) -> Iterator[str]:
    folders = Counter(file.parent for file in files if file.name != "__init__.py")
    for folder, number in sorted(folders.items()):
        if number > MODULES:
            yield f"{folder}: {number} modules, at most {MODULES}. Divide the folder."


def _long_files_and_functions(files: list[Path]) -> Iterator[str]:
    for file in files:
        if "migrations" in file.parts:  # generated
            continue
        text = file.read_text(encoding="utf-8")
        is_test = file.parts[0] == "tests"
        limit = TEST_FILE_LINES if is_test else FILE_LINES
        if (lines := text.count("\n")) > limit:
            yield f"{file}: {lines} lines, at most {limit}. Divide the file."
        if not is_test:
            yield from _long_functions(file, ast.parse(text))


def _long_functions(file: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield (
                    f"{file}:{node.lineno}: {node.name} has {lines} lines, at most "
                    f"{FUNCTION_LINES}. Divide the function."
                )


if __name__ == "__main__":
    sys.exit(main())
