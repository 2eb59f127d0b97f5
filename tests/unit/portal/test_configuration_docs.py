"""The settings, their documentation and the example name the same variables."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
SETTINGS = PROJECT / "portal/settings.py"
CONFIGURATION = PROJECT / "docs/operations/configuration.md"
EXAMPLE = PROJECT / ".env.example"

SECRET_READERS = {"secret", "secret_if_set"}
READERS = SECRET_READERS | {"boolean", "networks", "one_of"}
# What the settings do not read: chosen before them, or for the demo alone.
ELSEWHERE = {
    "DJANGO_SETTINGS_MODULE",
    "BERTH_DEMO_DIR",
    "BERTH_DEMO_PORT",
    "BERTH_DEMO_REGISTRY_PORT",
    "BERTH_DEMO_SAMPLE_PORT",
}


def variables_read(source: str) -> dict[str, bool]:
    """Return the variables that settings read, and whether each is a secret."""
    return {
        name.value: reader in SECRET_READERS
        for reader, name in _reads(ast.parse(source))
        if isinstance(name, ast.Constant) and isinstance(name.value, str)
        if reader in READERS or reader.startswith(("env.", "os.environ", "os.getenv"))
    }


def _reads(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            yield ast.unparse(node.func), node.args[0]
        elif isinstance(node, ast.Subscript):
            yield ast.unparse(node.value), node.slice


def documented() -> dict[str, bool]:
    """Return the variables of the documentation's tables, and which are secrets."""
    rows = re.findall(
        r"^\| `([A-Z_]+)`( †)? \|",
        CONFIGURATION.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(rows) == len(dict(rows)), "a variable is documented twice"
    return {name: bool(mark) for name, mark in rows}


def example() -> set[str]:
    """Return the variables of the example, commented out or not."""
    text = EXAMPLE.read_text(encoding="utf-8")
    return set(re.findall(r"^(?:# )?([A-Z_]+)=", text, re.MULTILINE))


def test_variables_read_sees_every_way_to_read_one() -> None:
    source = """
A = secret("SECRET_ONE")
B = secret_if_set("SECRET_TWO")
C = boolean("A_BOOLEAN", default=False)
D = networks("SOME_NETWORKS")
E = env.list("A_LIST", default=[])
F = {"size": env.int("A_NUMBER", default=1), "url": env.db_url_config(A)}
G = os.environ.get("A_TEXT", "x")
H = os.environ["ANOTHER_TEXT"]
"""

    assert variables_read(source) == {
        "SECRET_ONE": True,
        "SECRET_TWO": True,
        "A_BOOLEAN": False,
        "SOME_NETWORKS": False,
        "A_LIST": False,
        "A_NUMBER": False,
        "A_TEXT": False,
        "ANOTHER_TEXT": False,
    }


def test_configuration_page_lists_what_the_settings_read() -> None:
    read = variables_read(SETTINGS.read_text(encoding="utf-8"))
    variables = documented()

    assert {
        name: variables[name] for name in variables if name not in ELSEWHERE
    } == read
    assert set(variables) >= ELSEWHERE


def test_example_names_what_the_settings_read() -> None:
    read = variables_read(SETTINGS.read_text(encoding="utf-8"))

    assert example() == {
        f"{name}_FILE" if is_secret else name for name, is_secret in read.items()
    }
