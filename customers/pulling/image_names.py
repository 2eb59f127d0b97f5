"""The images that a customer can pull, by the names to pull them by."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from customers.pulling.listed_images import listed_images
from images.selectors import latest_tags_of_application
from licenses.models import Application
from oci.reference import parse_reference
from registries.decision.repository_pattern import matches
from registries.models import PRIVATE_REGISTRY_ID, ExternalRegistry, PullEvent
from registries.models.outcomes import ALLOWED
from registries.selectors import RECENT_PULLS, pulls_for_team, registries_for_team
from registries.web.proxied_names import image_names as proxied_names
from registries.web.pull_links import MANY

# Of each kind.
IMAGES_SHOWN = 100


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image by its full name; one that the vendor listed may have a description."""

    name: str
    description: str = ""
    is_listed: bool = False


def images_to_pull(
    application: Application, license_ids: Collection[uuid.UUID]
) -> list[NamedImage]:
    """Return images by full names with a tag or digest, none twice.

    First those that the vendor listed, in that order. Then, sorted, what these licenses
    of the application pulled in the last 30 days, the test images of its registries,
    and the latest tags of its images in the private registry. What the application may
    no longer pull is left out.
    """
    listed = {
        shown.image: NamedImage(shown.image, shown.description, is_listed=True)
        for shown in listed_images(application)
        if not shown.problem
    }
    others = [
        NamedImage(name)
        for name in _known_names(application, license_ids)
        if name not in listed
    ]
    return [*listed.values(), *others]


def _known_names(
    application: Application, license_ids: Collection[uuid.UUID]
) -> list[str]:
    registries = _usable_registries(application)
    pulled = list(_pulled(application, license_ids, registries))
    # Each repository once: a name that was pulled is better than a test image's.
    seen = {(registry.pk, repository) for registry, repository, _ in pulled}
    names = [name for *_, name in pulled]
    names += [
        name
        for registry, repository, name in _test_images(application, registries)
        if (registry.pk, repository) not in seen
    ]
    names += _private(application)
    return sorted(set(names))


_Named = tuple[ExternalRegistry, str, str]


def _usable_registries(application: Application) -> dict[uuid.UUID, ExternalRegistry]:
    return {
        registry.pk: registry
        for registry in registries_for_team(application.team_id)
        if registry.shared_with_all or application in registry.applications.all()
    }


def _pulled(
    application: Application,
    license_ids: Collection[uuid.UUID],
    registries: dict[uuid.UUID, ExternalRegistry],
) -> Iterator[_Named]:
    host = settings.BERTH_PROXY_HOST
    pulls = _latest_pulls(application, license_ids) if host else ()
    for pull in pulls:
        registry = registries.get(pull.registry_id) if pull.registry_id else None
        repository = pull.repository.partition("/")[2]
        if registry and _covers(registry, repository):
            yield registry, repository, f"{host}/{pull.proxied_image}"


def _latest_pulls(
    application: Application, license_ids: Collection[uuid.UUID]
) -> list[PullEvent]:
    """Return the latest pull of each repository, by tag if there is one."""
    pulls = (
        pulls_for_team(application.team_id)
        .filter(
            license__in=license_ids,
            application_slug=application.slug,
            outcome=ALLOWED,
            last_at__gte=timezone.now() - RECENT_PULLS,
        )
        .exclude(
            Q(repository=MANY)
            | Q(reference="")
            | Q(registry_id=None)
            | Q(registry_id=PRIVATE_REGISTRY_ID)
        )
        .alias(is_digest=Q(reference__contains=":"))
        .order_by("registry_id", "repository", "is_digest", "-last_at")
        .distinct("registry_id", "repository")
    )
    return list(pulls[:IMAGES_SHOWN])


def _test_images(
    application: Application, registries: dict[uuid.UUID, ExternalRegistry]
) -> Iterator[_Named]:
    host = settings.BERTH_PROXY_HOST
    for registry in registries.values():
        if not host or not registry.test_image:
            continue
        image = parse_reference(registry.test_image)
        if not _covers(registry, image.repository):
            continue
        for named in proxied_names(registry, [application], image, host):
            tag = "" if image.tag or image.digest else ":latest"
            yield registry, image.repository, f"{named.image}{tag}"


def _covers(registry: ExternalRegistry, repository: str) -> bool:
    return any(matches(pattern, repository) for pattern in registry.repository_patterns)


def _private(application: Application) -> list[str]:
    host = settings.BERTH_REGISTRY_HOST
    if not host:
        return []
    return [
        f"{host}/{application.slug}/{tag.repository.name}:{tag.name}"
        for tag in latest_tags_of_application(application)[:IMAGES_SHOWN]
    ]
