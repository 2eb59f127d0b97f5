"""Trying a credential: the whole ``docker login`` handshake, once."""

from __future__ import annotations

import time
from dataclasses import dataclass

from asgiref.sync import async_to_sync

from oci.media_types import DEFAULT_MANIFEST_ACCEPT
from oci.reference import Reference
from registries.models import Outcome
from registries.upstream import UpstreamClient, UpstreamRequest, upstream_client
from registries.upstream_errors import (
    CredentialRejected,
    RepositoryDenied,
    UpstreamError,
)
from registries.upstream_target import UpstreamTarget


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one attempt came to. ``detail`` is a sentence for the vendor."""

    outcome: Outcome
    http_status: int | None
    latency_ms: int
    detail: str


@async_to_sync
async def try_credential(
    target: UpstreamTarget, image: Reference | None = None
) -> CheckResult:
    """Sign in to a registry and, if an image is named, look its manifest up.

    Never raises for what the registry does: that is the result.
    """
    started = time.monotonic()
    try:
        status, asked = await _attempt(target, image)
    except UpstreamError as error:
        return CheckResult(
            Outcome(error.code),
            error.http_status,
            _elapsed_ms(started),
            error.detail_for_vendor,
        )
    if status == 404 and image is not None:
        detail = f"Signed in, but {image.repository} has no such tag or digest."
        outcome = Outcome.REPOSITORY_DENIED
    elif status >= 400:
        detail = f"The registry {target.label} answered {status}."
        outcome = Outcome.UPSTREAM_ERROR
    else:
        detail, outcome = f"Signed in to {target.label}.", Outcome.VALID
        if not asked:
            detail = f"{target.label} answers without asking for a login."
    return CheckResult(outcome, status, _elapsed_ms(started), detail)


async def _attempt(target: UpstreamTarget, image: Reference | None) -> tuple[int, bool]:
    """Return the last status, and whether the registry asked for a login."""
    async with upstream_client() as client:
        status, asked = await _sign_in(client, target)
        if image is None or status >= 400:
            return status, asked
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
        return response.status, asked


async def _sign_in(client: UpstreamClient, target: UpstreamTarget) -> tuple[int, bool]:
    request = UpstreamRequest("GET", "/v2/", "", {})
    response = await client.open(target, request)
    response.close()
    if response.status >= 400 or "Authorization" in response.request_info.headers:
        return response.status, True
    # It let a stranger in, which says nothing of the credential.
    try:
        response = await client.open(target, request, preemptive_basic=True)
    except RepositoryDenied as error:
        raise CredentialRejected(target, error.http_status or 401) from error
    response.close()
    return response.status, False


def _elapsed_ms(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
