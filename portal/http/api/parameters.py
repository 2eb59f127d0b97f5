"""Query parameters that no view reads."""

from __future__ import annotations

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

_MAX_REPORTED = 10


def refuse_unknown_parameters(request: Request, known: frozenset[str]) -> None:
    """Raise ValidationError for query parameters that are not ``known``.

    Ignoring a misspelt filter would show more than was asked for.
    """
    unknown = sorted(set(request.query_params) - known)[:_MAX_REPORTED]
    if unknown:
        raise ValidationError({name[:100]: ["Unknown parameter."] for name in unknown})
