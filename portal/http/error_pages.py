"""Answers to requests that no view could answer, as pages or as problem details.

A page says what happened and what to do next. What stands in the place of a part of a
page, such as a dialog, is a part as well.
"""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from portal.http.errors import (
    CONTENT_TYPE,
    DATABASE_ERRORS,
    DATABASE_UNAVAILABLE,
    RETRY_AFTER,
    problem_body,
)
from portal.http.middleware import GetResponse
from portal.http.pages import is_partial, theme_of

API = "/api/"
CUSTOMERS = "/c/"
INTERNAL_ERROR = (
    500,
    "internal_error",
    "Berth failed and logged why. It is unknown whether a change was saved. Try again.",
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a malformed request, without a context: even its host may be invalid."""
    del exception
    if request.path.startswith(API):
        return _problem(
            400, "invalid", "The request is malformed, or larger than the limit."
        )
    return _bare(request, "400.html", 400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for what is not there, in the frame of the team, if any."""
    del exception
    if request.path.startswith(API):
        return _problem(404, "not_found", "There is no such address in the API.")
    template = "404_part.html" if is_partial(request) else "404.html"
    response = render(request, template, status=404)
    response.headers["Cache-Control"] = "no-store"
    return response


def not_allowed_middleware(get_response: GetResponse) -> GetResponse:
    """Answer with a page when a browser opens an address that only takes a form.

    It does after somebody has signed in to send a form, and where Django's own answer
    is empty.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        is_empty = response.status_code == 405 and not response.content
        if not is_empty or request.method != "GET" or request.path.startswith(API):
            return response
        page = render(request, "405.html", status=405)
        page.headers["Allow"] = response.headers["Allow"]
        return page

    return middleware


def too_many(request: HttpRequest) -> HttpResponse:
    response = render(request, "429.html", status=429)
    response.headers["Retry-After"] = "60"
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request that failed; without a context, which may need the database."""
    is_of_database = isinstance(sys.exception(), DATABASE_ERRORS)
    if request.path.startswith(API):
        answer = DATABASE_UNAVAILABLE if is_of_database else INTERNAL_ERROR
        response: HttpResponse = _problem(*answer)
    elif is_of_database:
        response = _bare(request, "503.html", 503)
    else:
        response = _bare(request, "500.html", 500)
    if is_of_database:
        response.headers["Retry-After"] = RETRY_AFTER
    return response


def _problem(status: int, code: str, detail: str) -> JsonResponse:
    body = problem_body(status, code, detail)
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)


def _bare(request: HttpRequest, template: str, status: int) -> HttpResponse:
    context = {
        "theme": theme_of(request),
        "is_of_customer": request.path.startswith(CUSTOMERS),
        "is_part": "HX-Request" in request.headers,
    }
    return HttpResponse(render_to_string(template, context), status=status)
