"""How errors become HTTP: RFC 9457 problem details with a stable code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import (
    NON_FIELD_ERRORS,
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
)
from django.core.exceptions import (
    ValidationError as ModelValidationError,
)
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from portal.errors import (
    Busy,
    Conflict,
    Invalid,
    NotAllowed,
    PortalError,
    Taken,
    TooMany,
    UpstreamProblem,
)

CONTENT_TYPE = "application/problem+json"
REFUSAL = "BERTH_REFUSAL"
# Seconds, while the database is unavailable.
RETRY_AFTER = "5"
DATABASE_UNAVAILABLE = (
    503,
    "database_unavailable",
    "The database is unavailable. It is unknown whether a change was saved. Try again.",
)
# A deadlock and a statement that takes too long, too: a retry may succeed.
DATABASE_ERRORS = (OperationalError, InterfaceError)
_STATUSES: dict[type[PortalError], int] = {
    NotAllowed: 403,
    Conflict: 409,
    Invalid: 400,
    Taken: 409,
    TooMany: 429,
    Busy: 503,
    UpstreamProblem: 502,
}
_OTHER_ERRORS: dict[type[Exception], tuple[int, str, str]] = {
    RequestDataTooBig: (413, "too_large", "The body is larger than 1 MB."),
    IntegrityError: (
        409,
        "conflict",
        "The object was changed at the same time. Read it and try again.",
    ),
    Http404: (404, "not_found", "Your team has no such object."),
    # Deleted during this request.
    ObjectDoesNotExist: (404, "not_found", "The object has been deleted."),
    **dict.fromkeys(DATABASE_ERRORS, DATABASE_UNAVAILABLE),
}
_TITLES = {
    400: "Invalid request",
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    412: "Changed since",
    413: "Too large",
    415: "Unsupported media type",
    422: "Unprocessable request",
    429: "Too many requests",
    502: "The registry failed",
    503: "Busy",
}


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> Response:
    """Return a problem details response, with ``more`` members for programs."""
    body = problem_body(status, code, detail) | more
    if errors:
        body["errors"] = errors
    return Response(body, status, headers=headers, content_type=CONTENT_TYPE)


def problem_body(status: int, code: str, detail: str) -> dict[str, Any]:
    """Return problem details as plain data (RFC 9457 section 3.1)."""
    return {
        "type": "about:blank",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
    }


def problem_response(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the response to an API view's exception; None for an internal error."""
    set_rollback()
    if isinstance(error, PortalError):
        return _portal_problem(error)
    if isinstance(error, ModelValidationError):
        return problem(
            400, "invalid", "Some values are invalid.", errors=_messages(error)
        )
    if isinstance(error, PermissionDenied):
        return problem(403, "permission_denied", str(error) or "Not allowed.")
    if isinstance(error, exceptions.APIException):
        return _api_problem(error)
    for kind, (status, code, detail) in _OTHER_ERRORS.items():
        if isinstance(error, kind):
            headers = {"Retry-After": RETRY_AFTER} if status == 503 else {}
            return problem(status, code, detail, headers=headers)
    return None


def refuse_page(request: HttpRequest, error: TooMany) -> None:
    """Let the page that answers be 429 or 503: ``refusal_middleware`` sees to it.

    The page keeps what the user entered, and shows the error in its own way.
    """
    request.META[REFUSAL] = (_status(error), str(error.retry_after))


def _status(error: PortalError) -> int:
    statuses = (_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES)
    return next(statuses, 400)


def _portal_problem(error: PortalError) -> Response:
    errors = error.fields if isinstance(error, Invalid) else None
    headers = {}
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after)
    return problem(
        _status(error),
        error.code,
        error.message,
        errors=errors,
        headers=headers,
        **error.more,
    )


def _api_problem(error: exceptions.APIException) -> Response:
    headers = {}
    if authenticate := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = authenticate
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    if etag := getattr(error, "etag", None):
        headers["ETag"] = etag
    if isinstance(error, exceptions.ValidationError):
        return problem(
            400, "invalid", "Some values are invalid.", errors=_fields(error.detail)
        )
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    return problem(error.status_code, code, str(error.detail), headers=headers)


def _fields(detail: Any) -> dict[str, list[str]]:
    """Return the messages by field; one inside another is named ``outer.inner``."""
    found: dict[str, list[str]] = {}
    for path, message in _leaves(detail, ""):
        found.setdefault(path or "body", []).append(message)
    return found


def _leaves(detail: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            if isinstance(name, int):  # of a list's item
                for at, message in _leaves(inner, path):
                    yield at, f"Item {name + 1}: {message}"
            elif name == "non_field_errors":
                yield from _leaves(inner, path)
            else:
                yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list | tuple):
        for inner in detail:
            yield from _leaves(inner, path)
    else:
        yield path, str(detail)


def _messages(error: ModelValidationError) -> dict[str, list[str]]:
    if not hasattr(error, "error_dict"):
        return {"body": error.messages}
    return {
        "body" if name == NON_FIELD_ERRORS else name: messages
        for name, messages in error.message_dict.items()
    }
