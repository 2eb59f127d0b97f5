"""Trying a credential: the whole ``docker login`` handshake, once."""

from __future__ import annotations

import time
from dataclasses import dataclass

from asgiref.sync import async_to_sync

from oci.media_types import DEFAULT_MANIFEST_ACCEPT
from oci.reference import Reference
from registries.models import Outcome
from registries.upstream import UpstreamRequest, upstream_client
from registries.upstream_errors import UpstreamError
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
        status = await _attempt(target, image)
    except UpstreamError as error:
        return CheckResult(
            Outcome(error.code), error.http_status, _elapsed_ms(started), error.message
        )
    if status == 404 and image is not None:
        detail = f"Signed in, but {image.repository} has no such tag or digest."
        outcome = Outcome.REPOSITORY_DENIED
    elif status >= 400:
        detail = f"The registry {target.label} answered {status}."
        outcome = Outcome.UPSTREAM_ERROR
    else:
        detail, outcome = f"Signed in to {target.label}.", Outcome.VALID
    return CheckResult(outcome, status, _elapsed_ms(started), detail)


async def _attempt(target: UpstreamTarget, image: Reference | None) -> int:
    async with upstream_client() as client:
        response = await client.open(target, UpstreamRequest("GET", "/v2/", "", {}))
        response.close()
        if image is None or response.status >= 400:
            return response.status
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


def _elapsed_ms(started: float) -> int:
    return int((time.monotonic() - started) * 1000)
