"""The WWW-Authenticate header (RFC 9110 section 11.6.1, RFC 6750 section 3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from oci.quoting import quoted

# Possessive quantifiers (++ and *+) keep the work linear on hostile input.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
_TOKEN68 = re.compile(r"[ \t]++[A-Za-z0-9\-._~+/]++=*+(?=[ \t]*+(?:,|\Z))")
_EQUALS = re.compile(r"[ \t]*+=[ \t]*+")
_BETWEEN = re.compile(r"[ \t,]*+")
_QUOTED = re.compile(
    r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*+)"'
)
_VALUE_END = re.compile(r"(?=[ \t,]|\Z)")
_ESCAPED = re.compile(r"\\(.)")
_TO_ESCAPE = re.compile(r'["\\]')
_PRINTABLE_ASCII = re.compile(r"[ -~]*")
_NOT_ERROR_TEXT = re.compile(r"[^ -~]")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge; the scheme and the names of parameters are lower-case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header_values: Iterable[str]) -> list[Challenge]:
    """Return every challenge in every WWW-Authenticate line, in order.

    Never raises. Parsing of a line stops at its first error and keeps what came before.
    A token68 is dropped, and the first of two parameters of the same name wins. The
    work is linear in the length of the line.
    """
    return [item for value in header_values for item in _parse_line(value)]


def _parse_line(text: str) -> list[Challenge]:
    challenges: list[tuple[str, dict[str, str]]] = []
    position = _end(_BETWEEN, text, 0)
    while word := _TOKEN.match(text, position):
        equals = _EQUALS.match(text, word.end())
        if equals is None:
            challenges.append((word[0].lower(), {}))
            position = _end(_TOKEN68, text, word.end())
        else:
            value, position = _parse_value(text, equals.end())
            if value is None or not challenges:
                break
            challenges[-1][1].setdefault(word[0].lower(), value)
        position = _end(_BETWEEN, text, position)
    return [Challenge(scheme, parameters) for scheme, parameters in challenges]


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _parse_value(text: str, position: int) -> tuple[str | None, int]:
    string = _QUOTED.match(text, position)
    value = string or _TOKEN.match(text, position)
    if value is None or not _VALUE_END.match(text, value.end()):
        return None, position
    return _ESCAPED.sub(r"\1", string[1]) if string else value[0], value.end()


def format_bearer_challenge(
    *,
    realm: str,
    service: str,
    scope: str | None = None,
    error: str | None = None,
) -> str:
    """Return a Bearer challenge, with its parameters in the order of other registries.

    Characters that RFC 6750 section 3 forbids in an error are replaced. Raises
    ValueError if realm, service or scope is not printable ASCII.
    """
    parameters = {
        "realm": _quoted_string(realm),
        "service": _quoted_string(service),
        "scope": None if scope is None else _quoted_string(scope),
        "error": None if error is None else _error_string(error),
    }
    present = (f"{name}={text}" for name, text in parameters.items() if text)
    return f"Bearer {','.join(present)}"


def _quoted_string(text: str) -> str:
    if not _PRINTABLE_ASCII.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not allowed in a header.")
    escaped = _TO_ESCAPE.sub(r"\\\g<0>", text)
    return f'"{escaped}"'


def _error_string(text: str) -> str:
    plain = _NOT_ERROR_TEXT.sub("?", text.replace('"', "'").replace("\\", "/"))
    return f'"{plain}"'
