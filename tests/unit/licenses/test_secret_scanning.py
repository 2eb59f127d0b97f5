"""The rules of docs/reference/secret-scanning.md find what Berth generates."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from licenses.pull_credential import generate_pull_credential
from teams.models import ApiToken
from teams.tokens import generate_api_token

DOCUMENT = (Path(__file__).parents[3] / "docs/reference/secret-scanning.md").read_text()
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", DOCUMENT, re.DOTALL))
PULL = [generate_pull_credential().text.reveal() for _ in range(20)]
TOKENS = [generate_api_token(kind).text.reveal() for kind in ApiToken.Kind]
LOOK_ALIKES = [PULL[0][:-1], f"{PULL[0]}x", PULL[0].replace("pull", "push")]


def found(pattern: str) -> list[str]:
    text = "\n".join([*PULL, *TOKENS, *LOOK_ALIKES])
    return re.findall(pattern, text)


def test_the_rules_of_gitleaks() -> None:
    credential, token = tomllib.loads(BLOCKS["toml"])["rules"]

    assert found(credential["regex"]) == PULL
    assert found(token["regex"]) == TOKENS
    for rule, secrets in ((credential, PULL), (token, TOKENS)):
        for secret in secrets:
            assert any(word in secret for word in rule["keywords"])


def test_the_rules_of_trufflehog() -> None:
    credential, token = yaml.safe_load(BLOCKS["yaml"])["detectors"]

    assert found(credential["regex"]["credential"]) == PULL
    assert found(token["regex"]["token"]) == TOKENS


def test_the_patterns_in_the_text() -> None:
    (github,) = re.findall(r"\n    (berth_pull_\S+)\n", DOCUMENT)
    patterns = re.findall(r"\| `(berth_.+?\})` \|", DOCUMENT)

    for secret in PULL:
        assert re.fullmatch(github, secret)
        assert re.fullmatch(patterns[0], secret)
    for secret in TOKENS:
        assert re.fullmatch(patterns[1].replace("\\|", "|"), secret)


def test_the_checksum_as_it_is_documented() -> None:
    names: dict[str, Any] = {}
    exec(BLOCKS["python"], names)  # noqa: S102 -- our own document

    assert all(names["is_real"](secret) for secret in PULL)
    wrong = [
        secret[:-7] + ("a" if secret[-7] != "a" else "b") + secret[-6:]
        for secret in PULL
    ]
    assert not any(names["is_real"](secret) for secret in wrong)
