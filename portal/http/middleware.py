from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.gzip import GZipMiddleware
from django.urls import resolve

from portal.database.deadlines import REQUEST_SECONDS, waiting_at_most
from portal.http.client_address import client_address, is_trusted_proxy
from portal.http.errors import CONTENT_TYPE, REFUSAL, problem_body
from portal.logs.request_id import begin_request, current_request_id, end_request

_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
GetResponse = Callable[[HttpRequest], HttpResponse]
X_REQUEST_ID = "X-Request-ID"
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def request_origin_middleware(get_response: GetResponse) -> GetResponse:
    """Give each request an ID, and accept proxy headers only from trusted proxies."""

    def middleware(request: HttpRequest) -> HttpResponse:
        peer = request.META.get("REMOTE_ADDR", "")
        trusted = is_trusted_proxy(peer, settings.BERTH_TRUSTED_PROXIES)
        if trusted and request.headers.get("X-Forwarded-Proto") == "https":
            request.META["wsgi.url_scheme"] = "https"
        request.META["BERTH_CLIENT_ADDRESS"] = client_address(
            peer,
            request.headers.get("X-Forwarded-For", ""),
            settings.BERTH_TRUSTED_PROXIES,
        )
        begun = begin_request(request.headers.get(X_REQUEST_ID, "") if trusted else "")
        request.META["BERTH_REQUEST_ID"] = current_request_id()
        try:
            response = get_response(request)
            response.headers[X_REQUEST_ID] = current_request_id()
        finally:
            end_request(begun)
        return response

    return middleware


def database_deadline_middleware(get_response: GetResponse) -> GetResponse:
    """Let each request wait a few seconds for the database in all."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with waiting_at_most(REQUEST_SECONDS):
            return get_response(request)

    return middleware


def probe_middleware(get_response: GetResponse) -> GetResponse:
    """Answer probes and Prometheus, which call each process by its own address.

    They name no host of ``ALLOWED_HOSTS`` and use plain HTTP, so the middlewares that
    check either come later.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path not in _PROBES:
            return get_response(request)
        response: HttpResponse = resolve(request.path).func(request)
        return response

    return middleware


def security_headers_middleware(get_response: GetResponse) -> GetResponse:
    """Set the content security policy, and reject NUL bytes, which no column stores."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return JsonResponse(
                problem_body(400, "invalid", "NUL bytes are not allowed in URLs."),
                status=400,
                content_type=CONTENT_TYPE,
            )
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", _CONTENT_SECURITY_POLICY)
        return response

    return middleware


def compression_middleware(get_response: GetResponse) -> GetResponse:
    """Compress pages, but no answer to a form: it may show a secret.

    From the size of a compressed answer, those who can choose a part of it learn what
    else is in it. Pages show no secrets, and Django varies their size at random.
    """
    compressor = GZipMiddleware(get_response)

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if request.method == "GET" and is_page:
            compressor.process_response(request, response)
        return response

    return middleware


def refusal_middleware(get_response: GetResponse) -> GetResponse:
    """Answer 429 or 503 where a page shows that there were too many requests."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if REFUSAL in request.META and response.status_code == 200:
            status, retry_after = request.META[REFUSAL]
            response.status_code = status
            response.headers["Retry-After"] = retry_after
        return response

    return middleware
