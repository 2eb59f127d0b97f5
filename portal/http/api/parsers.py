from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_DEPTH = 32


class StrictJSONParser(JSONParser):
    """JSON objects of limited depth, without NUL and lone surrogates.

    PostgreSQL can store neither. Django rejects bodies larger than
    ``DATA_UPLOAD_MAX_MEMORY_SIZE`` before this parser.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            parsed = json.loads(
                stream.read().decode(),
                parse_constant=_no_constant,
                parse_float=_finite_float,
            )
        except (ValueError, RecursionError) as error:
            raise ParseError("The body is not valid JSON.") from error
        if not isinstance(parsed, dict):
            raise ParseError("The body must be a JSON object.")
        for text in _texts(parsed):
            _check_text(text)
        return parsed


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is out of range")
    return number


def _texts(body: object) -> Iterator[str]:
    """Yield all texts of a document, including keys; reject deep nesting."""
    level = [body]
    for _ in range(MAX_DEPTH):
        following: list[object] = []
        for value in level:
            if isinstance(value, str):
                yield value
            elif isinstance(value, dict):
                following += [*value.keys(), *value.values()]
            elif isinstance(value, list):
                following += value
        level = following
        if not level:
            return
    raise ParseError(f"The body is nested more than {MAX_DEPTH} levels deep.")


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise ParseError("NUL characters are not allowed.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ParseError("The body is not valid Unicode.") from error
