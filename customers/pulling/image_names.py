"""The images of an application that can be pulled, by the names to pull them by."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from operator import attrgetter

from django.conf import settings
from django.db.models import Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from customers.pulling.listed_images import judge_of, listed_images
from images.selectors import latest_tags_of_application
from licenses.history import latest_of_each_kind
from licenses.models import Application
from oci.kustomize import PROXY_PREFIX, image_name
from oci.reference import Reference, parse_reference
from registries.decision.proxied_name import parse_proxied_name
from registries.models import (
    PRIVATE_REGISTRY_ID,
    PRIVATE_REGISTRY_SLUG,
    ExternalRegistry,
    PullEvent,
)
from registries.models.outcomes import ALLOWED
from registries.preview.manifest import ImageJudge
from registries.providers import canonical_endpoint
from registries.selectors import RECENT_PULLS, pulls_for_team
from registries.web.pull_links import MANY

# Of each kind.
IMAGES_SHOWN = 100
# Of an application with all its licenses, older pulls are not looked at.
PULLS_SEARCHED = 1_000


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image by its full name, and the slug of the registry that has it.

    One that the vendor listed may have a description.
    """

    name: str
    registry: str
    description: str = ""
    is_listed: bool = False

    @property
    def short(self) -> str:
        """Return the name without the proxy's part, as its registry has it."""
        path = self.name.removeprefix(f"{settings.BERTH_PROXY_HOST}/{PROXY_PREFIX}/")
        return self.name if path == self.name else path.partition("/")[2]


def images_to_pull(
    application: Application,
    license_ids: Collection[uuid.UUID] | None = None,
    judge: ImageJudge | None = None,
) -> list[NamedImage]:
    """Return images by full names with a tag or digest, none twice.

    First those that the vendor listed, in that order. Then, sorted, what these licenses
    of the application pulled in the last 30 days, or any if ``license_ids`` is None,
    the test images of its registries, and the latest tags of its images in the private
    registry. What the application may no longer pull is left out.
    """
    judge = judge or judge_of(application)
    listed: dict[str, NamedImage] = {}
    for shown in listed_images(application, judge):
        if shown.problem:
            continue
        image = in_one_form(shown.image, judge)
        listed[image.name] = NamedImage(
            image.name, image.registry, shown.description, is_listed=True
        )
    others = _known(application, judge, license_ids)
    return [*listed.values(), *(each for each in others if each.name not in listed)]


def in_one_form(full_name: str, judge: ImageJudge) -> NamedImage:
    """Return an image that can be pulled, by the name that pages show it by.

    ``full_name`` may name its registry by host or by slug.
    """
    repository = image_name(full_name)
    host, _, path = repository.partition("/")
    if host != settings.BERTH_PROXY_HOST or not path.startswith(f"{PROXY_PREFIX}/"):
        return NamedImage(full_name, PRIVATE_REGISTRY_SLUG)
    registry = judge.registry_of(parse_proxied_name(path))
    if registry is None:
        return NamedImage(full_name, "")
    name = judge.name_of(registry, repository_in(registry, path))
    suffix = full_name.removeprefix(repository)
    return NamedImage(f"{name or repository}{suffix}", registry.slug)


def _known(
    application: Application,
    judge: ImageJudge,
    license_ids: Collection[uuid.UUID] | None,
) -> list[NamedImage]:
    found: dict[tuple[str, str], NamedImage] = {}
    if settings.BERTH_PROXY_HOST:
        pulled = _pulled(application, judge, license_ids)
        # Each repository once: a name that was pulled is better than a test image's.
        for image in (*pulled, *_test_images(judge)):
            found.setdefault((image.registry, image_name(image.name)), image)
    images = [*found.values(), *_private(application)]
    return sorted(images, key=lambda image: image.name)


def _pulled(
    application: Application,
    judge: ImageJudge,
    license_ids: Collection[uuid.UUID] | None,
) -> Iterator[NamedImage]:
    for pull in _latest_pulls(application, license_ids):
        registry = judge.registry_with(pull.registry_id)
        if registry is None:
            continue
        path = f"{PROXY_PREFIX}/{pull.application_slug}/{pull.repository}"
        name = judge.name_of(registry, repository_in(registry, path))
        if name:
            suffix = pull.image.removeprefix(pull.repository)
            yield NamedImage(f"{name}{suffix}", registry.slug)


def repository_in(registry: ExternalRegistry, path: str) -> str:
    """Return what a registry calls a repository that was pulled by a proxied name.

    A name on Docker Hub may be without the registry.
    """
    name = parse_proxied_name(path)
    is_named = name.upstream == registry.slug or (
        canonical_endpoint(name.upstream) == registry.endpoint
    )
    return name.repository if is_named else name.path


def _latest_pulls(
    application: Application, license_ids: Collection[uuid.UUID] | None
) -> list[PullEvent]:
    """Return the latest pull of each repository, by tag if there is one."""
    since = timezone.now() - RECENT_PULLS
    pulls = (
        pulls_for_team(application.team_id)
        .filter(application_slug=application.slug, outcome=ALLOWED, last_at__gte=since)
        .exclude(
            Q(repository=MANY)
            | Q(reference="")
            | Q(registry_id=None)
            | Q(registry_id=PRIVATE_REGISTRY_ID)
        )
    )
    searched: QuerySet[PullEvent]
    if license_ids is None:
        latest = pulls.values("pk")[:PULLS_SEARCHED]
        searched = PullEvent.objects.for_team(application.team_id).filter(pk__in=latest)
    else:
        # Of a busy license, the latest pulls name as much as all of 30 days.
        of_licenses = pulls_for_team(application.team_id).filter(
            license__in=license_ids
        )
        ordered = of_licenses.order_by("-last_at").values("last_at")
        oldest = Subquery(ordered[PULLS_SEARCHED : PULLS_SEARCHED + 1])
        searched = pulls.filter(
            license__in=license_ids, last_at__gte=Coalesce(oldest, since)
        )
    kinds = ("registry_id", "repository", "is_digest")
    of_kinds = latest_of_each_kind(
        searched.annotate(is_digest=Q(reference__contains=":")), kinds, 2 * IMAGES_SHOWN
    )
    named: dict[tuple[uuid.UUID, str], PullEvent] = {}
    for pull in sorted(of_kinds, key=attrgetter("is_digest")):
        named.setdefault((pull.registry_id, pull.repository), pull)
    return [named[name] for name in sorted(named)][:IMAGES_SHOWN]


def _test_images(judge: ImageJudge) -> Iterator[NamedImage]:
    for registry in judge.registries:
        if not registry.test_image:
            continue
        image = parse_reference(registry.test_image)
        if name := judge.name_of(registry, image.repository):
            yield NamedImage(f"{name}{_suffix(image)}", registry.slug)


def _suffix(image: Reference) -> str:
    if not image.tag and not image.digest:
        return ":latest"
    tag = f":{image.tag}" if image.tag else ""
    return tag + (f"@{image.digest}" if image.digest else "")


def _private(application: Application) -> Iterator[NamedImage]:
    host = settings.BERTH_REGISTRY_HOST
    if not host:
        return
    for tag in latest_tags_of_application(application)[:IMAGES_SHOWN]:
        yield NamedImage(
            f"{host}/{application.slug}/{tag.repository.name}:{tag.name}",
            PRIVATE_REGISTRY_SLUG,
        )
