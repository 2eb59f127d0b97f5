"""Images of the example team in the private registry."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from images.models import ImageManifest, ImageRepository
from licenses.models import Application
from oci.media_types import OCI_INDEX
from teams.models import ApiToken
from tests.support.rows.factories import (
    ImageBlobFactory,
    ImageManifestFactory,
    ImageRepositoryFactory,
    ImageTagFactory,
)

MEGABYTE = 2**20
# No registry holds these images, so the worker must not look for them there.
NOT_ASKED = timedelta(days=365)
PLATFORMS = ["linux/amd64", "linux/arm64"]
# Number of the application, name, megabytes, and the tags of each version, the newest
# first: a version without a tag lost it
_REPOSITORIES = (
    (0, "api", 84, ("v4.0.0 v4.0 latest", "v3.9.1 v3.9", "", "v3.9.0", "v3.8.2", "")),
    (0, "migrations", 31, ("v4.0.0", "v3.9.1")),
    (1, "edge-agent", 46, ("v2.3.0 latest", "v2.2.4")),
    (2, "insights/worker", 212, ("nightly", "")),
)


def add_images(applications: Sequence[Application]) -> dict[str, str]:
    """Add images; return the values that addresses of one of them take."""
    for number, name, megabytes, versions in _REPOSITORIES:
        repository = ImageRepositoryFactory(application=applications[number], name=name)
        for age, tags in enumerate(versions):
            _add_version(repository, megabytes, age, tags.split())
    shown = applications[0].image_repositories.get(name="api")
    return {
        "image_id": str(shown.pk),
        "tag_id": str(shown.tags.get(name="v4.0.0").pk),
        "manifest_id": str(shown.manifests.filter(tags=None).latest("pushed_at").pk),
    }


def _add_version(
    repository: ImageRepository, megabytes: int, age: int, tags: Sequence[str]
) -> None:
    robot = ApiToken.objects.for_team(repository.team_id).get(name="GitHub Actions")
    now = datetime.now(tz=UTC)
    pushed_at = now - timedelta(days=3 + 24 * age, hours=age)
    push = {
        "pushed_by": f"api-token:{robot.pk}",
        "last_pulled_at": pushed_at + timedelta(days=2) if age < 2 else None,
        "confirmed_at": now + NOT_ASKED,
    }
    sizes = {"base": 29 * MEGABYTE, str(age): (megabytes + age) * MEGABYTE}
    manifest: ImageManifest = ImageManifestFactory(
        repository=repository,
        digest=_digest(f"{repository} index {age}"),
        media_type=OCI_INDEX,
        size=sum(sizes.values()),
        platforms=PLATFORMS,
        pushed_at=pushed_at,
        **push,
    )
    for layer, size in sizes.items():
        digest = _digest(f"{repository} {layer}")
        ImageBlobFactory(manifest=manifest, digest=digest, size=size)
    for seconds, tag in enumerate(reversed(tags)):
        at = pushed_at + timedelta(seconds=seconds)
        ImageTagFactory(manifest=manifest, name=tag, pushed_at=at, **push)


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
