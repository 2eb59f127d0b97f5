"""One check of a credential: the whole ``docker login`` handshake."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import aiohttp
from asgiref.sync import async_to_sync

from oci.media_types import DEFAULT_MANIFEST_ACCEPT
from oci.reference import Reference, parse_reference
from portal.errors import PortalError
from portal.limits.waiting import waiting
from registries.checks.limit import count_check
from registries.models import Credential
from registries.models.health import Outcome
from registries.providers.problems import Problem
from registries.upstream.client import UpstreamClient, UpstreamRequest, upstream_client
from registries.upstream.errors import (
    CredentialRejected,
    NotARegistry,
    RepositoryDenied,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamTimeout,
)
from registries.upstream.target import UpstreamTarget, upstream_target

# A person is waiting for the result.
PATIENCE_SECONDS = 45
MAX_RETRY_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. ``detail`` is a sentence for the vendor.

    ``problem`` is None for a valid credential.
    """

    outcome: Outcome
    http_status: int | None
    latency_ms: int
    detail: str
    problem: Problem | None = None
    retry_after: timedelta | None = None

    @property
    def is_only_about_the_image(self) -> bool:
        """Return whether signing in worked, but the image could not be read."""
        return self.problem in {Problem.NO_ACCESS, Problem.NO_SUCH_IMAGE}

    @property
    def is_valid(self) -> bool:
        return self.outcome is Outcome.VALID

    def raise_if_failed(self) -> Self:
        """Return this result of a new credential, or raise CheckFailed."""
        if not self.is_valid:
            raise CheckFailed(self)
        return self


class CheckFailed(PortalError):  # noqa: N818 -- states the fact
    """The registry did not accept a new credential; nothing was stored."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(f"credential_{result.outcome.value}", result.detail)
        self.result = result


def check_credential_now(
    credential: Credential, image: Reference | None = None
) -> CheckResult:
    """Check a credential, stored or not, while a person waits for the result.

    Without an ``image``, the registry's test image is looked up if it has one. Call it
    outside a transaction, because registries may be slow.

    Raises:
        TooMany: the team has reached its limit for this minute, or too many requests
            are waiting. The latter do not count in the minute.
    """
    test_image = credential.registry.test_image
    if image is None and test_image:
        image = parse_reference(test_image)
    check = async_to_sync(check_credential_within)
    with waiting(credential.team_id):
        count_check(credential.team_id)
        return check(upstream_target(credential), image, PATIENCE_SECONDS)


async def check_credential(
    target: UpstreamTarget,
    image: Reference | None = None,
    client: UpstreamClient | None = None,
) -> CheckResult:
    """Sign in to a registry and, given an image, look up its manifest.

    Errors of the registry are the result; they are not raised. Without a ``client``, it
    opens its own.
    """
    if client is None:
        async with upstream_client() as own:
            return await check_credential(target, image, own)
    started = time.monotonic()
    try:
        status, login_required = await _sign_in_and_look_up(client, target, image)
    except UpstreamError as error:
        return CheckResult(
            Outcome(error.code),
            error.http_status,
            _elapsed_ms(started),
            error.detail_for_vendor,
            error.problem,
            _retry_after(error),
        )
    outcome, problem, detail = _verdict(
        target, image, status, login_required=login_required
    )
    return CheckResult(outcome, status, _elapsed_ms(started), detail, problem)


async def check_credential_within(
    target: UpstreamTarget, image: Reference | None, seconds: float
) -> CheckResult:
    """Check a credential; a check longer than ``seconds`` counts as unreachable.

    The client only limits each step, not the whole check.
    """
    try:
        async with asyncio.timeout(seconds):
            return await check_credential(target, image)
    except TimeoutError:
        late = UpstreamTimeout(target)
        return CheckResult(
            Outcome(late.code),
            None,
            int(seconds * 1000),
            late.detail_for_vendor,
            late.problem,
        )


def _retry_after(error: UpstreamError) -> timedelta | None:
    if not isinstance(error, UpstreamRateLimited) or not error.retry_after:
        return None
    # Do not trust a registry that asks for more than a day.
    return min(timedelta(seconds=int(error.retry_after)), MAX_RETRY_AFTER)


def _verdict(
    target: UpstreamTarget,
    image: Reference | None,
    status: int,
    *,
    login_required: bool,
) -> tuple[Outcome, Problem | None, str]:
    name = _name(image) if image else ""
    if status == 404 and image is not None:
        detail = (
            f"Signed in, but there is no {name} on {target.label}. Check the names of "
            "the repository and the tag."
        )
        return Outcome.REPOSITORY_DENIED, Problem.NO_SUCH_IMAGE, detail
    if status >= 400:
        detail = (
            f"The registry {target.label} answered with status {status}. Try again "
            "later, or ask its operator."
        )
        return Outcome.UPSTREAM_ERROR, Problem.FAULT, detail
    if image is not None:
        detail = f"Signed in to {target.label} and found {name}."
    elif login_required:
        detail = f"Signed in to {target.label}."
    else:
        detail = f"{target.label} answers without asking for a login."
    return Outcome.VALID, None, detail


def _name(image: Reference) -> str:
    return image.repository + (
        f"@{image.digest}" if image.digest else f":{image.tag or 'latest'}"
    )


async def _sign_in_and_look_up(
    client: UpstreamClient, target: UpstreamTarget, image: Reference | None
) -> tuple[int, bool]:
    """Return the last status, and whether the registry asked for a login."""
    status, login_required = await _sign_in(client, target)
    if image is None or status >= 400:
        return status, login_required
    try:
        return await _look_up(client, target, image), login_required
    except RepositoryDenied as error:
        raise _no_access(target, image, error) from error
    except CredentialRejected as error:
        if not login_required:
            raise
        # Signing in worked just before: some token services refuse a token for a
        # repository in the same way as a wrong password.
        raise _no_access(target, image, error) from error


def _no_access(
    target: UpstreamTarget, image: Reference, error: UpstreamError
) -> RepositoryDenied:
    return RepositoryDenied(target, error.http_status or 401, image.repository)


async def _look_up(
    client: UpstreamClient, target: UpstreamTarget, image: Reference
) -> int:
    repository = target.upstream_repository(image.repository)
    reference = image.digest or image.tag or "latest"
    response = await client.open(
        target,
        UpstreamRequest(
            "HEAD",
            f"/v2/{repository}/manifests/{reference}",
            f"repository:{repository}:pull",
            {"Accept": DEFAULT_MANIFEST_ACCEPT},
        ),
    )
    response.close()
    return response.status


async def _sign_in(client: UpstreamClient, target: UpstreamTarget) -> tuple[int, bool]:
    request = UpstreamRequest("GET", "/v2/", "", {})
    response = await client.open(target, request)
    response.close()
    if "Authorization" in response.request_info.headers or response.status >= 500:
        return response.status, True
    if not _is_registry(response):
        raise NotARegistry(target, response.status)
    # Anonymous access worked, which does not prove the credential.
    try:
        response = await client.open(target, request, preemptive_basic=True)
    except RepositoryDenied as error:
        raise CredentialRejected(target, error.http_status or 401) from error
    response.close()
    return response.status, False


def _is_registry(response: aiohttp.ClientResponse) -> bool:
    """Return whether an anonymous response comes from a registry, not a web server.

    distribution-spec, "Determining Support": 200 for /v2/. The older header is more
    reliable than the status: some sites have a page for every address.
    """
    if "Docker-Distribution-Api-Version" in response.headers:
        return True
    return response.status < 400 and response.content_type != "text/html"


def _elapsed_ms(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
