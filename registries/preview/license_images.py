"""What a license holder may know about pulling the images of a manifest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from licenses.models import Application
from portal.errors import Conflict
from registries.preview.manifest import (
    Fate,
    Hosts,
    ImageJudge,
    PreviewedImage,
    host_of,
)
from registries.selectors import registries_for_team


class Result(StrEnum):
    """What happens to an image. Codes are stable: the installer looks them up."""

    PROXIED = "proxied"
    PRIVATE_REGISTRY = "private_registry"
    ALREADY_PROXIED = "already_proxied"
    NOT_CONNECTED = "not_connected"
    NOT_ALLOWED = "not_allowed"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image as the request spells it; ``new_image`` if it gets another name.

    ``detail`` is the sentence that a pull would be denied with, else "".
    """

    image: str
    result: Result
    new_image: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class RenamedRegistry:
    """A registry whose images get names on the proxy.

    ``host`` is as images name it, ``upstream`` its part of a proxied name, and
    ``repositories`` the patterns of what may be pulled.
    """

    host: str
    upstream: str
    repositories: tuple[str, ...]


# A customer must not learn which registries a vendor has and does not share.
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
    """Return, for each image in order, the name that the application's licenses pull.

    Asks no registry. The number of queries is the same for any number of images.

    Raises:
        Conflict: the proxy's host is not configured.
    """
    judge = _judge_of(application)
    return [_resolved(judge.previewed(image)) for image in images]


def renamed_registries(application: Application) -> list[RenamedRegistry]:
    """Return the registries that an application's licenses pull through the proxy.

    The first one whose host and patterns are those of an image serves it.

    Raises:
        Conflict: the proxy's host is not configured.
    """
    return [
        RenamedRegistry(host_of(registry), upstream, tuple(registry.patterns))
        for registry, upstream in _judge_of(application).shared()
    ]


def _judge_of(application: Application) -> ImageJudge:
    hosts = Hosts(settings.BERTH_PROXY_HOST, settings.BERTH_REGISTRY_HOST)
    if not hosts.proxy:
        raise Conflict(
            "hosts_not_set_up",
            "This installation's proxy host is not configured. The operator must set "
            "BERTH_PROXY_HOST.",
        )
    registries = list(registries_for_team(application.team_id))
    return ImageJudge(application, hosts, registries)


def _resolved(image: PreviewedImage) -> ResolvedImage:
    return ResolvedImage(
        image=image.image,
        result=_RESULTS[image.fate],
        new_image=image.new_image or None,
        detail=image.message,
    )
