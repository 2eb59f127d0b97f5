"""The edge: what registry clients talk to. A raw ASGI application.

``/v2/token`` is the token service, ``/v2/proxy/…`` the pull-through proxy; ``/v2/``
says that this is a registry. nginx asks ``/v2/_authorize`` before each request to the
private registry, and answers refused ones with ``/v2/_refusal``. It asks ``/v2/_pull``
before it serves an object of the proxy from the disk cache.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os

import django
from django.db import Error
from prometheus_client import CONTENT_TYPE_LATEST

# What is imported lives as long as the process. Without garbage collection the edge
# starts a tenth sooner, and no request waits while all of it is looked through.
gc.disable()

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from edge.asgi_types import ASGIApp, Receive, Scope, Send
from edge.http import (
    ClientGone,
    RegistryError,
    Request,
    method_not_allowed,
    share_exceeded,
)
from edge.proxy.endpoint import serve_proxy
from edge.proxy.question import serve_pull_question
from edge.proxy.route import not_found
from edge.registry.endpoint import serve_authorize, serve_refusal
from edge.services import EdgeServices, edge_services
from edge.token.endpoint import serve_token
from oci.errors import ErrorCode
from portal.crypto.keyring import KeyringError
from portal.database.deadlines import PROBE_SECONDS
from portal.health import OLD_SCHEMA, STOPPING, redis_answers, schema_is_current
from portal.http.draining import drain_on_sigterm, is_draining
from portal.http.scraping import exposition, scraping_status
from portal.limits import fair_share
from portal.limits.fair_share import ShareExceeded
from portal.logs.tracing import traced
from registries.tokens import metrics as token_metrics
from registries.tokens.signing_keys import SigningKeyError

gc.freeze()
gc.enable()

logger = logging.getLogger(__name__)

DATABASE_UNAVAILABLE = RegistryError(
    503,
    ErrorCode.UNAVAILABLE,
    "The license cannot be checked at the moment. Try again.",
    headers=[("Retry-After", "5")],
)


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection, in the terms of ASGI."""
    if scope["type"] == "lifespan":
        await _lifespan(scope, receive, send)
    elif scope["type"] == "http":
        request = Request(scope, receive, send)
        request.begin()
        try:
            await _serve(request, scope["state"]["edge"])
        except asyncio.CancelledError:
            # By the server, which ends. The client sees an incomplete answer.
            logger.warning("An answer was cut off: the time to finish it is over.")


async def _lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    drain_on_sigterm()
    try:
        async with edge_services() as services:
            scope["state"]["edge"] = services
            await send({"type": "lifespan.startup.complete"})
            await receive()
    except (SigningKeyError, KeyringError) as error:
        # As a message: servers take an exception here for "no lifespan" and go on.
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    await send({"type": "lifespan.shutdown.complete"})


async def _serve(request: Request, services: EdgeServices) -> None:
    try:
        await _route(request, services)
    except ClientGone:
        return
    except RegistryError as error:
        await request.answer_error(error)
    except ShareExceeded as error:
        await request.answer_error(share_exceeded(error))
    except Error:
        logger.exception("The database does not answer")
        if request.started:
            raise
        await request.answer_error(DATABASE_UNAVAILABLE)
    except Exception:
        logger.exception("The edge failed")
        if request.started:
            raise
        await request.answer_error(
            RegistryError(500, ErrorCode.UNKNOWN, "Internal error in Berth. Try again.")
        )


async def _route(request: Request, services: EdgeServices) -> None:
    path = request.path
    if path.startswith("/v2/proxy/"):
        await serve_proxy(request, services)
    elif (ask := _QUESTIONS.get(path)) and request.is_from_proxy:
        await ask(request, services)
    elif serve := _ENDPOINTS.get(path):
        await serve(request, services)
    else:
        if path in _QUESTIONS:
            logger.info(
                "A question of nginx, not from a proxy of BERTH_TRUSTED_PROXIES"
            )
        raise not_found()


async def _serve_base(request: Request, services: EdgeServices) -> None:
    """Say that this is a registry, and where its tokens come from."""
    if request.method not in {"GET", "HEAD"}:
        raise method_not_allowed("Only GET and HEAD are served here.", ("GET", "HEAD"))
    services.proxy_gate.read_token(request, scope="")
    await request.answer_json(200, {})


async def _serve_readyz(request: Request, services: EdgeServices) -> None:
    if is_draining():
        await request.answer_json(503, STOPPING, [("Retry-After", "5")])
        return
    threads = services.probe_threads
    schema, redis = await asyncio.gather(
        threads.call(schema_is_current, seconds=PROBE_SECONDS),
        threads.call(redis_answers, seconds=PROBE_SECONDS),
        return_exceptions=True,
    )
    if isinstance(schema, BaseException):
        logger.error("The database is unavailable", exc_info=schema)
    elif not schema:
        logger.error(OLD_SCHEMA)
    checks = {
        "database": isinstance(schema, bool),
        "schema": schema is True,
        "redis": redis is True,
    }
    if checks["schema"]:
        await request.answer_json(200, {"status": "ok", "checks": checks})
        return
    unavailable = {"status": "unavailable", "checks": checks}
    await request.answer_json(503, unavailable, [("Retry-After", "5")])


async def _serve_livez(request: Request, services: EdgeServices) -> None:
    await request.answer_json(200, {"status": "ok"})


async def _serve_metrics(request: Request, services: EdgeServices) -> None:
    status = scraping_status(request.header("authorization"))
    if status == 404:
        raise not_found()
    if status == 401:
        await request.answer(401, [("WWW-Authenticate", "Bearer")], b"")
        return
    kind = [("Content-Type", CONTENT_TYPE_LATEST), ("Cache-Control", "no-store")]
    text = exposition(fair_share.collect, token_metrics.collect)
    await request.answer(200, kind, text)


# For the nginx in front alone, which answers them with 404 to others.
_QUESTIONS = {
    "/v2/_authorize": serve_authorize,
    "/v2/_refusal": serve_refusal,
    "/v2/_pull": serve_pull_question,
}
_ENDPOINTS = {
    "/v2": _serve_base,
    "/v2/": _serve_base,
    "/v2/token": serve_token,
    "/livez": _serve_livez,
    "/readyz": _serve_readyz,
    "/metrics": _serve_metrics,
}

app: ASGIApp = traced(_app, "edge")
