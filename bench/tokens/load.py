"""Load of different token requests; every response is verified afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from bench.harness.errors import BenchError
from bench.harness.load import Load, load_from_file
from bench.harness.servers import Server
from bench.tokens.questions import TokenQuestion
from deploy.local.private_files import write_private
from registries.decision.credentials import Subject
from registries.tokens.registry_token import TokenInvalid, TokenVerifier

Grants = frozenset[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class TokenLoad:
    """One round of load, with the number of tokens and their subjects."""

    load: Load
    tokens: int
    subjects: frozenset[Subject | None]


def load_tokens(
    edge: Server,
    questions: Sequence[TokenQuestion],
    seconds: int,
    directory: Path,
    roots: list[x509.Certificate],
) -> TokenLoad:
    """Ask questions of one kind from 16 connections, and verify all tokens.

    Raises:
        BenchError: a request failed, or a token is invalid or grants something else.
    """
    lines = "".join(question.line for question in questions)
    requests = write_private(directory / "token-requests", lines)
    answers = write_private(directory / "token-responses", "")
    load = load_from_file(edge, [requests, answers], seconds)
    verifier = TokenVerifier(roots, questions[0].service)
    expected = {question.subject: question.grants for question in questions}
    with answers.open(encoding="utf-8") as responses:
        subjects = [_verify(line, expected, verifier) for line in responses]
    if not subjects:
        raise BenchError("wrk recorded no response.")
    return TokenLoad(load, len(subjects), frozenset(subjects))


def _verify(
    line: str, expected: dict[Subject | None, Grants], verifier: TokenVerifier
) -> Subject | None:
    """Return the subject of the token in a response."""
    status, _, body = line.partition(" ")
    if status != "200":
        raise BenchError(f"A token request gave {line.strip()}")
    try:
        token = verifier.verify(json.loads(body)["token"])
    except TokenInvalid as error:
        raise BenchError("The edge issued an invalid token.") from error
    if token.subject not in expected or expected[token.subject] != token.grants:
        raise BenchError(
            f"The token of {token.subject} grants {sorted(token.grants)} instead of "
            f"{sorted(expected.get(token.subject, ()))}."
        )
    return token.subject
