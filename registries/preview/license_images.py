"""What becomes of images on the customer's side, as its license holder may know it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from licenses.models import Application
from oci.kustomize import home_of
from oci.reference import parse_reference
from portal.errors import Conflict
from registries.decision.sentences import (
    application_not_licensed,
    registry_not_available,
    repository_not_offered,
)
from registries.preview.manifest import Fate, Hosts, ImageJudge, PreviewedImage
from registries.selectors import registries_for_team


class Result(StrEnum):
    """What to do with an image. Codes are stable: the installer looks them up."""

    PROXIED = "proxied"
    PRIVATE_REGISTRY = "private_registry"
    ALREADY_PROXIED = "already_proxied"
    NOT_CONNECTED = "not_connected"
    NOT_ALLOWED = "not_allowed"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image as it was asked for; ``new_image`` only if it gets another name.

    ``detail`` is the sentence that a pull would be denied with, else "".
    """

    image: str
    result: Result
    new_image: str | None
    detail: str


# A customer does not learn which registries a vendor has and does not share.
_RESULTS = {
    Fate.PROXIED: Result.PROXIED,
    Fate.PRIVATE_REGISTRY: Result.PRIVATE_REGISTRY,
    Fate.ALREADY_PROXIED: Result.ALREADY_PROXIED,
    Fate.OTHER_APPLICATION: Result.NOT_ALLOWED,
    Fate.NOT_CONNECTED: Result.NOT_CONNECTED,
    Fate.NOT_SHARED: Result.NOT_CONNECTED,
    Fate.NOT_ALLOWED: Result.NOT_ALLOWED,
    Fate.UNREADABLE: Result.INVALID,
}


def resolve_images(
    application: Application, images: Iterable[str]
) -> list[ResolvedImage]:
    """Tell of each image, in order, what a license of the application pulls it by.

    Asks no registry. The number of queries is the same for any number of images.

    Raises:
        Conflict: the settings do not say what the proxy's host is.
    """
    hosts = Hosts(settings.BERTH_PROXY_HOST, settings.BERTH_REGISTRY_HOST)
    if not hosts.proxy:
        raise Conflict(
            "hosts_not_set_up",
            "This installation does not say what its proxy is called. Its operator has "
            "to set BERTH_PROXY_HOST.",
        )
    registries = registries_for_team(application.team_id)
    judge = ImageJudge(application, hosts, registries)
    return [_resolved(application, judge.previewed(image)) for image in images]


def _resolved(application: Application, found: PreviewedImage) -> ResolvedImage:
    return ResolvedImage(
        image=found.image,
        result=_RESULTS[found.fate],
        new_image=found.new_image or None,
        detail=_detail(application, found),
    )


def _detail(application: Application, found: PreviewedImage) -> str:
    if found.fate is Fate.UNREADABLE:
        return found.detail
    if found.fate is Fate.OTHER_APPLICATION:
        return application_not_licensed(found.detail)
    if _RESULTS[found.fate] is Result.NOT_CONNECTED:
        host, _ = home_of(parse_reference(found.image))
        return registry_not_available(application.slug, host)
    if found.fate is Fate.NOT_ALLOWED:
        _, repository = home_of(parse_reference(found.image))
        return repository_not_offered(repository)
    return ""
