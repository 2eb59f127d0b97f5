"""The guide's pages are made of blocks that tests run or check."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from typing import Any

import pytest
import yaml

from registries.providers import PROVIDERS
from registries.providers.amazon import web_identity
from registries.providers.amazon.errors import OF_ACCESS_KEYS, OF_ROLES, of_trust
from registries.providers.problems import Problem
from tests.support.clients.generated import (
    GO_CONFIGURATION,
    GO_LIBRARIES,
    OAPI_CODEGEN,
)
from tests.support.guide import GUIDE, LANGUAGES, Block, Page, is_printed, pages

PAGES = pages()
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
SAID_ELSEWHERE = {
    # By the registries themselves.
    "Service account key creation is disabled",
    # Of the form's own errors, which quote what was entered.
    "Choose it as the provider",
}


def text_of(page: Page) -> str:
    return page.path.read_text(encoding="utf-8")


@each_page
def test_every_block_has_a_language_that_says_how_it_is_tested(page: Page) -> None:
    assert {block.language for block in page.blocks} <= LANGUAGES
    # None is written in a way that is not found.
    assert text_of(page).count("```") == 2 * len(page.blocks)


@each_page
def test_commands_use_only_variables_that_the_reader_has_set(page: Page) -> None:
    assert page.unset_variables == set()
    uses = "\n".join(page.of("sh"))
    assert [name for name in page.variables if f"${name}" not in uses] == []


@each_page
def test_every_text_is_what_commands_print(page: Page) -> None:
    printed = [lines for _, lines in page.commands() if lines]
    assert len(printed) == len(page.of("text"))


@each_page
def test_commands_and_documents_are_well_formed(page: Page) -> None:
    for text in [*page.of("sh"), *page.of("console")]:
        checked = subprocess.run(
            ["sh", "-n"], input=text, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stderr
    for text in page.of("json"):
        json.loads(text)
    for text in page.of("yaml"):
        yaml.safe_load(text)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "index.md"],
    ids=lambda page: page.name,
)
def test_each_page_says_whom_it_is_for_and_what_can_go_wrong(page: Page) -> None:
    paragraphs = text_of(page).split("\n\n")
    assert paragraphs[0].startswith("# ")
    assert paragraphs[1].startswith("For ")
    headings = re.findall(r"^## (.*)$", text_of(page), re.MULTILINE)
    assert headings[-1] == "What can go wrong"


@each_page
def test_no_command_shows_a_secret_to_other_users_of_the_machine(page: Page) -> None:
    for text in [*page.of("sh"), *page.of("console")]:
        lines = [line for line in text.splitlines() if not line.startswith("printf ")]
        for name in ("API_TOKEN", "PASSWORD", "LICENSE_ID"):
            arguments = [line for line in lines if f"${name}" in line]
            assert [line for line in arguments if line != f"${name}"] == []


def test_clients_are_made_as_make_clients_does() -> None:
    (page,) = [page for page in PAGES if page.name == "automate.md"]
    commands = "".join(page.of("console"))

    assert page.of("yaml") == [GO_CONFIGURATION]
    assert f"go run {OAPI_CODEGEN} " in commands
    assert f"go get {' '.join(GO_LIBRARIES)}\n" in commands


def test_the_trust_policy_is_what_the_portal_shows(settings: Any) -> None:
    settings.BERTH_ISSUER_URL = "https://portal.example.com"
    team = uuid.UUID("6f0e4e0a-9b3c-4c11-8a2f-9d6e6f0e4e0a")
    (page,) = [page for page in PAGES if page.path.stem == "amazon-ecr-role"]

    (shown,) = page.of("json")

    expected = web_identity.trust_policy(team, "123456789012")
    assert json.loads(shown) == json.loads(expected)


def test_pages_about_registries_quote_what_berth_says(settings: Any) -> None:
    settings.BERTH_ISSUER_URL = "https://portal.example.com"
    refusals = {**OF_ACCESS_KEYS, **OF_ROLES, **of_trust(uuid.uuid4())}
    said = [problem.label for problem in Problem]
    said += [f"{each.fact} {each.advice}" for each in refusals.values()]
    said += [
        path.read_text(encoding="utf-8").replace('"\n        "', "")
        for path in (GUIDE.parents[1] / "registries/providers").rglob("*.py")
    ]
    quoted = {
        words
        for page in PAGES
        if page.path.parent.name == "registries"
        for row in re.findall(r"^\| (\*.*?) \|", text_of(page), re.MULTILINE)
        for words in re.findall(r"\*([^*]+)\*", row)
    }
    missing = [
        words for words in quoted if not any(words in sentence for sentence in said)
    ]
    assert set(missing) <= SAID_ELSEWHERE


def test_sentences_of_refusals_are_those_of_the_reference() -> None:
    (page,) = [page for page in PAGES if page.path.stem == "why-a-pull-fails"]
    table = text_of(page).partition("| The sentence begins |")[2].partition("\n\n")[0]
    begins = [
        phrase
        for cell in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
        for phrase in cell.split(", ")
        if not cell.startswith("-")
    ]
    reference = (GUIDE.parent / "reference/pull-errors.md").read_text(encoding="utf-8")

    assert len(begins) > 15
    assert [phrase for phrase in begins if not is_printed(phrase, reference)] == []


def test_each_provider_has_a_page_that_names_its_fields() -> None:
    for profile in PROVIDERS.values():
        for kind in profile.auth_types:
            name = (kind.guide or profile.guide).rstrip("/")
            text = (GUIDE / f"{name}.md").read_text(encoding="utf-8")
            if kind.name == "password" and len(profile.auth_types) > 1:
                continue  # no page recommends it
            assert kind.fixed_username or kind.username_label in text, (name, kind)
            assert not kind.has_secret or kind.secret_label in text, (name, kind)


def test_an_ellipsis_stands_for_anything() -> None:
    assert is_printed("revoked on …. Contact", "denied: revoked on 2031-01-02. Contact")
    assert not is_printed("revoked on …. Contact", "expired on 2031-01-02. Contact")
    assert not is_printed("a.c", "abc")


def test_an_unset_variable_is_found() -> None:
    blocks = [Block("env", "HOST=example.com\n"), Block("sh", 'A=1; echo "$HOST$B"\n')]
    page = Page(GUIDE / "index.md", blocks)
    assert page.unset_variables == {"B"}
