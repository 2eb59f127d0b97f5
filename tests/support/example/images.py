"""Images of the example team in the private registry, and pulls of them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from images.models import ImageBlob, ImageManifest, ImageRepository, ImageTag
from licenses.models import Application, License, LicenseState
from oci.media_types import OCI_INDEX
from registries.models import PRIVATE_REGISTRY_ID, PRIVATE_REGISTRY_SLUG, PullEvent
from teams.models import ApiToken, Team

MEGABYTE = 2**20
DAY = timedelta(days=1)
# No registry holds these images, so the worker must not look for them there.
NOT_ASKED = timedelta(days=365)
PLATFORMS = ["linux/amd64", "linux/arm64"]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A repository: its tags, the newest first; those of one version name one image."""

    application: int  # which one
    name: str
    megabytes: int
    versions: tuple[tuple[str, ...], ...]  # one without a tag lost it


_PLANS = (
    _Plan(
        0,
        "api",
        84,
        (
            ("v4.0.0", "v4.0", "latest"),
            ("v3.9.1", "v3.9"),
            (),
            ("v3.9.0",),
            ("v3.8.2",),
            (),
        ),
    ),
    _Plan(0, "migrations", 31, (("v4.0.0",), ("v3.9.1",))),
    _Plan(1, "edge-agent", 46, (("v2.3.0", "latest"), ("v2.2.4",))),
    _Plan(2, "insights/worker", 212, (("nightly",), ())),
)


def add_images(
    team: Team,
    applications: Sequence[Application],
    licenses: Sequence[License],
    picks: random.Random,
) -> dict[str, str]:
    """Add images and pulls; return the values that addresses of one image take."""
    robot = ApiToken.objects.for_team(team.pk).get(name="GitHub Actions")
    pushed_by = f"api-token:{robot.pk}"
    repositories = [
        _add(applications[plan.application], plan, pushed_by) for plan in _PLANS
    ]
    _add_pulls(team, repositories[0], licenses, picks)
    shown = repositories[0]
    tag = shown.tags.get(name="v4.0.0")
    return {
        "image_id": str(shown.pk),
        "tag_id": str(tag.pk),
        "manifest_id": str(shown.manifests.filter(tags=None).latest("pushed_at").pk),
    }


def _add(application: Application, plan: _Plan, pushed_by: str) -> ImageRepository:
    now = datetime.now(tz=UTC)  # whatever time services see
    repository = ImageRepository.objects.create(
        team_id=application.team_id, application=application, name=plan.name
    )
    for number, tags in enumerate(plan.versions):
        at = now - timedelta(days=3 + 24 * number, hours=number)
        manifest = _manifest(repository, plan, number, at, pushed_by)
        for seconds, tag in enumerate(reversed(tags)):
            ImageTag.objects.create(
                team_id=repository.team_id,
                repository=repository,
                name=tag,
                manifest=manifest,
                pushed_at=at + timedelta(seconds=seconds),
                pushed_by=pushed_by,
                last_pulled_at=manifest.last_pulled_at,
                confirmed_at=datetime.now(tz=UTC) + NOT_ASKED,
            )
    return repository


def _manifest(
    repository: ImageRepository, plan: _Plan, number: int, at: datetime, pushed_by: str
) -> ImageManifest:
    sizes = {
        _digest(f"{repository} base"): 29 * MEGABYTE,
        _digest(f"{repository} {number}"): (plan.megabytes + number) * MEGABYTE,
    }
    manifest = ImageManifest.objects.create(
        team_id=repository.team_id,
        repository=repository,
        digest=_digest(f"{repository} index {number}"),
        media_type=OCI_INDEX,
        size=sum(sizes.values()),
        platforms=PLATFORMS,
        pushed_at=at,
        pushed_by=pushed_by,
        last_pulled_at=at + 2 * DAY if number < 2 else None,
        confirmed_at=datetime.now(tz=UTC) + NOT_ASKED,
    )
    for digest, size in sizes.items():
        ImageBlob.objects.create(
            team_id=repository.team_id,
            repository=repository,
            manifest=manifest,
            digest=digest,
            size=size,
        )
    return manifest


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _add_pulls(
    team: Team,
    repository: ImageRepository,
    licenses: Sequence[License],
    picks: random.Random,
) -> None:
    found = License.objects.for_team(team.pk).select_related("customer")
    fresh = found.filter(
        application=repository.application, pk__in=[each.pk for each in licenses]
    ).order_by("customer__name")
    now = datetime.now(tz=UTC)
    PullEvent.objects.bulk_create(
        _pull(repository, license, now - timedelta(minutes=picks.randrange(60, 20_000)))
        for license in picks.sample(list(fresh), 9)
    )


def _pull(repository: ImageRepository, license: License, at: datetime) -> PullEvent:
    return PullEvent(
        team_id=license.team_id,
        hour=at.replace(minute=0, second=0, microsecond=0),
        application_slug=repository.application.slug,
        license=license,
        holder=f"license:{license.pk}",
        registry_id=PRIVATE_REGISTRY_ID,
        registry_slug=PRIVATE_REGISTRY_SLUG,
        repository=repository.name,
        reference="v4.0.0",
        outcome=_outcome(license, at),
        count=1 + at.minute % 9,
        last_at=at,
        created_at=at,
    )


def _outcome(license: License, at: datetime) -> str:
    if license.revoked_at is not None:
        return "license_revoked"
    if license.customer.archived_at is not None:
        return "customer_archived"
    return "license_expired" if license.state(at) is LicenseState.EXPIRED else "allowed"
