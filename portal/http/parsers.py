from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser


class BodyTooLarge(APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = "The body is larger than 1 MB."


class StrictJSONParser(JSONParser):
    """JSON objects of at most 1 MB, with no NUL and no lone surrogates in any text.

    PostgreSQL stores neither, and no name needs them.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise BodyTooLarge
        try:
            parsed = json.loads(body.decode(), parse_constant=_no_constant)
            json.dumps(parsed, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise ParseError("The body is not valid JSON.") from error
        if not isinstance(parsed, dict):
            raise ParseError("The body must be a JSON object.")
        if _holds_nul(parsed):
            raise ParseError("NUL characters are not allowed.")
        return parsed


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_holds_nul(k) or _holds_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(_holds_nul(each) for each in value)
