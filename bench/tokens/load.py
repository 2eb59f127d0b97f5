"""Load of different token requests, of which every answer is checked afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.harness.errors import BenchError
from bench.harness.load import Load, RequestFiles, load_from_files
from bench.harness.servers import Edge
from bench.tokens.questions import TokenQuestion
from deploy.local.private_files import write_private
from registries.decision.credentials import Subject
from registries.tokens.registry_token import TokenInvalid, TokenVerifier

Grants = frozenset[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class TokenLoad:
    """One round of load, how many tokens came of it, and whose."""

    load: Load
    tokens: int
    subjects: frozenset[Subject | None]


def load_tokens(
    edge: Edge,
    questions: Sequence[TokenQuestion],
    seconds: int,
    directory: Path,
    verifier: TokenVerifier,
) -> TokenLoad:
    """Ask the questions in turn from 16 connections, and check all of the tokens.

    Raises:
        BenchError: a request failed, or a token is not valid or not the right one.
    """
    lines = "".join(question.line for question in questions)
    files = RequestFiles(
        write_private(directory / "token-requests", lines),
        write_private(directory / "token-answers", ""),
    )
    load = load_from_files(edge.host, files, seconds, edge.process.pid)
    expected = {question.subject: question.grants for question in questions}
    with files.answers.open(encoding="utf-8") as answers:
        subjects = [_check(line, expected, verifier) for line in answers]
    if not subjects:
        raise BenchError("wrk wrote down no answer.")
    return TokenLoad(load, len(subjects), frozenset(subjects))


def _check(
    line: str, expected: dict[Subject | None, Grants], verifier: TokenVerifier
) -> Subject | None:
    """Return whose token an answer holds."""
    status, _, body = line.partition(" ")
    if status != "200":
        raise BenchError(f"A token request gave {line.strip()}")
    try:
        token = verifier.verify(json.loads(body)["token"])
    except TokenInvalid as error:
        raise BenchError("A token that the edge issued is not valid.") from error
    if token.subject not in expected or expected[token.subject] != token.grants:
        raise BenchError(
            f"The token of {token.subject} grants {sorted(token.grants)}, and not "
            f"{sorted(expected.get(token.subject, ()))}."
        )
    return token.subject
