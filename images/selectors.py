from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import (
    BigIntegerField,
    Count,
    Exists,
    Func,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from images.models import ImageBlob, ImageManifest, ImageRepository, ImageTag
from licenses.models import Application, License
from licenses.selectors import licenses_for_team
from registries.models import PRIVATE_REGISTRY_ID, PullEvent
from registries.models.outcomes import ALLOWED
from registries.preview.typed_image import Question
from registries.selectors import RECENT_PULLS, pulls_for_team

PULLERS_SHOWN = 10
_STORAGE_BY_APPLICATION = """
SELECT application_id, sum(size) FROM (
    SELECT DISTINCT repository.application_id, blob.digest, blob.size
    FROM images_imageblob blob
    JOIN images_imagerepository repository ON repository.id = blob.repository_id
    WHERE blob.team_id = %s AND repository.team_id = %s
) AS stored GROUP BY application_id
"""


class _SumOfSizes(Subquery):
    template = "(SELECT coalesce(sum(size), 0) FROM (%(subquery)s) AS stored)"
    output_field = BigIntegerField()


def image_repositories_for_team(team_id: uuid.UUID) -> QuerySet[ImageRepository]:
    """Return repositories with a summary of their content, the newest first.

    It consists of ``tag_count``, ``last_pushed_at``, ``last_pulled_at``, and
    ``storage`` in bytes, where a shared layer counts once.
    """
    manifests = _of_repository(ImageManifest.objects.for_team(team_id))
    tags = _of_repository(ImageTag.objects.for_team(team_id))
    blobs = ImageBlob.objects.for_team(team_id).filter(repository=OuterRef("pk"))
    return (
        ImageRepository.objects.for_team(team_id)
        .select_related("application")
        .annotate(
            tag_count=Coalesce(Subquery(tags.annotate(n=Count("*")).values("n")), 0),
            last_pushed_at=Subquery(
                manifests.annotate(at=Max("pushed_at")).values("at")
            ),
            last_pulled_at=Subquery(
                manifests.annotate(at=Max("last_pulled_at")).values("at")
            ),
            storage=_SumOfSizes(blobs.values("digest", "size").distinct()),
        )
        .order_by("-created_at", "-id")
    )


def repositories_of_application(
    application: Application,
) -> QuerySet[ImageRepository]:
    """Return an application's repositories, without a summary of their content."""
    return (
        ImageRepository.objects.for_team(application.team_id)
        .filter(application=application)
        .select_related("application")
        .order_by("-created_at", "-id")
    )


def repositories_named(team_id: uuid.UUID, text: str) -> QuerySet[ImageRepository]:
    """Return repositories whose name contains a text, without a summary."""
    return (
        ImageRepository.objects.for_team(team_id)
        .filter(name__icontains=text)
        .select_related("application")
        .order_by("-created_at", "-id")
    )


def _of_repository(rows: QuerySet[Any]) -> QuerySet[Any, dict[str, Any]]:
    return rows.filter(repository=OuterRef("pk")).order_by().values("repository")


def is_listed(
    team_id: uuid.UUID, application_slug: str, name: str, reference: str
) -> bool:
    """Return whether a tag or digest exists, as far as Berth knows."""
    named = Q(digest=reference) | Q(tags__name=reference)
    return (
        ImageManifest.objects.for_team(team_id)
        .filter(
            named,
            repository__application__slug=application_slug,
            repository__name=name,
        )
        .exists()
    )


def missing_reference(team_id: uuid.UUID, question: Question) -> str:
    """Return the tag or digest if the private registry lacks it, otherwise ""."""
    if not question.reference:
        return ""
    is_stored = is_listed(
        team_id, question.application_slug, question.repository, question.reference
    )
    return "" if is_stored else question.reference


def stored_references(
    application: Application, names: Collection[str]
) -> set[tuple[str, str]]:
    """Return the tags and digests of an application's repositories with these names.

    Each is a pair of the repository's name and the tag or digest.
    """
    manifests = ImageManifest.objects.for_team(application.team_id).filter(
        repository__application=application, repository__name__in=names
    )
    digests = manifests.values_list("repository__name", "digest")
    tags = manifests.exclude(tags=None).values_list("repository__name", "tags__name")
    return {*digests, *tags} if names else set()


def tags_of_repository(repository: ImageRepository) -> QuerySet[ImageTag]:
    """Return tags with their manifests, the last pushed first."""
    return (
        ImageTag.objects.for_team(repository.team_id)
        .filter(repository=repository)
        .select_related("manifest", "repository__application")
        .order_by("-pushed_at", "-id")
    )


def latest_tags_of_application(application: Application) -> QuerySet[ImageTag]:
    """Return the tag that was last pushed, of each of an application's repositories."""
    return (
        ImageTag.objects.for_team(application.team_id)
        .filter(repository__application=application)
        .select_related("repository")
        .order_by("repository_id", "-pushed_at", "-id")
        .distinct("repository_id")
    )


def images_of_repository(repository: ImageRepository) -> QuerySet[ImageManifest]:
    """Return images, tagged and untagged, the last pushed first."""
    return (
        ImageManifest.objects.for_team(repository.team_id)
        .filter(repository=repository)
        .select_related("repository__application")
        .order_by("-pushed_at", "-id")
    )


def untagged_images(repository: ImageRepository) -> QuerySet[ImageManifest]:
    """Return images without a tag that no existing index needs.

    They remain when a push moves a tag; they can still be pulled by digest.
    """
    return untagged(images_of_repository(repository))


def untagged(manifests: QuerySet[ImageManifest]) -> QuerySet[ImageManifest]:
    """Keep those that :func:`untagged_images` describes."""
    digest = Func(
        OuterRef("digest"),
        template="ARRAY[%(expressions)s]::varchar(140)[]",
        output_field=ImageManifest._meta.get_field("children"),
    )
    needing = ImageManifest.objects.filter(
        repository=OuterRef("repository"), children__contains=digest
    )
    return manifests.filter(~Exists(needing), tags=None)


def storage_by_application(team_id: uuid.UUID) -> dict[uuid.UUID, int]:
    """Return the stored bytes of each application that has images."""
    with connection.cursor() as cursor:
        cursor.execute(_STORAGE_BY_APPLICATION, [team_id, team_id])
        return {application_id: int(size) for application_id, size in cursor}


@dataclass(frozen=True, slots=True)
class Puller:
    """A license that pulled an image in the last 30 days, and how often."""

    license: License
    pulls: int


@dataclass(frozen=True, slots=True)
class ImageUse:
    """What would break without a tag, an image or a repository.

    ``pulls`` are those of 30 days; ``own_pulls`` of them used logins of the team, not
    licenses. ``other_tags`` name the same image as the tag in question.
    """

    pullers: Sequence[Puller]
    pulls: int
    own_pulls: int
    active_licenses: int
    other_tags: Sequence[str] = ()


def use_of_tag(tag: ImageTag) -> ImageUse:
    """Return who pulled a tag or its image in the last 30 days, and who may pull it."""
    others = tag.manifest.tags.exclude(pk=tag.pk).order_by("name")
    names = list(others.values_list("name", flat=True))
    return _use(tag.repository, allowed_pulls(tag), names)


def use_of_image(manifest: ImageManifest) -> ImageUse:
    """Return who pulled an image by digest in the last 30 days, and who may pull it."""
    pulls = pulls_of_image_repository(manifest.repository)
    return _use(
        manifest.repository, pulls.filter(reference=manifest.digest, outcome=ALLOWED)
    )


def use_of_repository(repository: ImageRepository) -> ImageUse:
    """Return who pulled from a repository in the last 30 days, and who may pull."""
    pulls = pulls_of_image_repository(repository)
    return _use(repository, pulls.filter(outcome=ALLOWED))


def allowed_pulls(tag: ImageTag) -> QuerySet[PullEvent]:
    """Return allowed pulls of the tag or of its image's digest."""
    return pulls_of_image_repository(tag.repository).filter(
        reference__in=[tag.name, tag.manifest.digest], outcome=ALLOWED
    )


def pulls_of_image_repository(repository: ImageRepository) -> QuerySet[PullEvent]:
    """Return pulls of a repository, allowed and refused, the latest first."""
    return pulls_for_team(repository.team_id).filter(
        registry_id=PRIVATE_REGISTRY_ID,
        application_slug=repository.application.slug,
        repository=repository.name,
    )


def _use(
    repository: ImageRepository, pulls: QuerySet[PullEvent], others: Sequence[str] = ()
) -> ImageUse:
    lately = pulls.filter(last_at__gte=timezone.now() - RECENT_PULLS)
    counted = lately.aggregate(
        all=Sum("count", default=0),
        own=Sum("count", default=0, filter=Q(license=None)),
    )
    licenses = licenses_for_team(repository.team_id).active()
    return ImageUse(
        pullers=_pullers(repository.team_id, lately),
        pulls=counted["all"],
        own_pulls=counted["own"],
        active_licenses=licenses.filter(application=repository.application_id).count(),
        other_tags=others,
    )


def _pullers(team_id: uuid.UUID, pulls: QuerySet[PullEvent]) -> list[Puller]:
    most = (
        pulls.exclude(license=None)
        .order_by()
        .values("license_id")
        .annotate(total=Sum("count"))
        .order_by("-total", "license_id")[:PULLERS_SHOWN]
    )
    totals = {row["license_id"]: row["total"] for row in most}
    licenses = licenses_for_team(team_id).in_bulk(list(totals))
    return [Puller(licenses[pk], total) for pk, total in totals.items()]
