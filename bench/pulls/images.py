"""The images to pull."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bench.pulls.plan import Plan
from bench.pulls.vendor import APPLICATION
from deploy.local.images import push_blob, push_blob_stream, push_image

REPOSITORY = f"{APPLICATION}/sample"
TAG = "v1.0.1"
SMALL_BLOB_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Images:
    """Digests of pushed content, and repositories with one image each."""

    manifest: str
    small_blob: str
    large_blob: str
    repositories: list[str]


def push_images(registry_url: str, plan: Plan) -> Images:
    """Push an image, a small and a large blob, and images for first pulls."""
    layer = os.urandom(SMALL_BLOB_BYTES)
    manifest = push_image(registry_url, REPOSITORY, TAG, layers=[layer])
    small = push_blob(registry_url, REPOSITORY, os.urandom(SMALL_BLOB_BYTES))
    large = push_blob_stream(registry_url, REPOSITORY, plan.large_blob_bytes)
    # One more repository warms up the upstream's token service.
    count = plan.fresh_edges + 2 * plan.new_pairs + 1
    repositories = [f"{APPLICATION}/cold-{number}" for number in range(count)]
    for repository in repositories:
        push_image(registry_url, repository, TAG, layers=[layer])
    return Images(manifest.digest, small.digest, large.digest, repositories)
