"""The images that a vendor lists for the customers of an application."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from customers.models import ListedImage
from customers.pulling.pasted import pasted_secret, refusal_of
from images.selectors import stored_references
from licenses.models import Application
from oci.kustomize import PROXY_PREFIX, image_name
from oci.reference import MalformedName, looks_like_host
from registries.decision.proxied_name import parse_proxied_name
from registries.models.outcomes import Reason
from registries.preview.manifest import Fate, Hosts, ImageJudge, PreviewedImage
from registries.preview.typed_image import image_in
from registries.selectors import registries_for_team

_PROBLEMS = {
    Reason.REGISTRY_NOT_CONNECTED: (
        "No registry {registry} is connected. Connect it, or correct the name."
    ),
    Reason.REGISTRY_NOT_SHARED: (
        "The registry {registry} is not shared with this application. Share it."
    ),
    Reason.REPOSITORY_NOT_ALLOWED: (
        "No pattern of the registry {registry} covers this repository. Add one, or "
        "correct the name."
    ),
    Reason.APPLICATION_MISMATCH: (
        "This is the name of another application's image. List it there."
    ),
}
_REASONS = {
    Fate.NOT_CONNECTED: Reason.REGISTRY_NOT_CONNECTED,
    Fate.NOT_SHARED: Reason.REGISTRY_NOT_SHARED,
    Fate.NOT_ALLOWED: Reason.REPOSITORY_NOT_ALLOWED,
    Fate.OTHER_APPLICATION: Reason.APPLICATION_MISMATCH,
}


class NotListable(ValueError):  # noqa: N818 -- states the fact
    """A text names no image that the application may pull; it says what to do."""


@dataclass(frozen=True, slots=True)
class ShownImage:
    """A listed image by its full name, and why customers cannot pull it, or "".

    ``to_edit`` is a name to list it by again, and short: that in its registry, unless
    only the full name leads there. ``problem`` is for the vendor alone: it may name a
    registry.
    """

    image: str
    to_edit: str
    description: str
    problem: str


def listed_images(
    application: Application, judge: ImageJudge | None = None
) -> list[ShownImage]:
    """Return an application's listed images in order, those with problems too.

    ``judge`` is that of the application, if it is at hand. The number of queries is the
    same for any number of images.
    """
    rows = ListedImage.objects.for_team(application.team_id)
    listed = list(rows.filter(application=application).order_by("position"))
    problems = problems_of([row.name for row in listed], application, judge)
    return [
        ShownImage(
            image=_with_host(row.name),
            to_edit=_in_its_registry(row.name) or _with_host(row.name),
            description=row.description,
            problem=problems[row.name],
        )
        for row in listed
    ]


def problems_of(
    names: Sequence[str], application: Application, judge: ImageJudge | None = None
) -> dict[str, str]:
    """Return, for each stored name, why customers cannot pull it now, or ""."""
    if not names:
        return {}
    judge = judge or judge_of(application)
    private = {name for name in names if not _is_proxied(name)}
    stored = stored_references(
        application, {_repository_and_reference(name)[0] for name in private}
    )
    return {
        name: _problem_of_private(name, stored)
        if name in private
        else _problem_of_proxied(name, judge)
        for name in names
    }


def name_to_list(text: str, judge: ImageJudge) -> str:
    """Return the name to store for an image: without the host, with tag or digest.

    ``text`` is the name to pull it by, or the name that it has elsewhere. Without a tag
    it means ``latest``, as for clients.

    Raises:
        NotListable: it is no image's name, or is not pulled by this application.
    """
    if pasted := pasted_secret(text):
        raise NotListable(refusal_of(pasted))
    found = judge.previewed(image_in(text))
    if found.fate is Fate.UNREADABLE:
        raise NotListable(found.message)
    if reason := _REASONS.get(found.fate):
        raise NotListable(_problem(reason, _registry_of(found)))
    _, _, path = (found.new_image or found.image).partition("/")
    return f"{path}:latest" if path == image_name(path) else path


def judge_of(application: Application) -> ImageJudge:
    """Return what judges images by the team's registries as they are now."""
    hosts = Hosts(settings.BERTH_PROXY_HOST, settings.BERTH_REGISTRY_HOST)
    registries = list(registries_for_team(application.team_id))
    return ImageJudge(application, hosts, registries)


def _is_proxied(name: str) -> bool:
    return name.startswith(f"{PROXY_PREFIX}/")


def _with_host(name: str) -> str:
    proxy, private = settings.BERTH_PROXY_HOST, settings.BERTH_REGISTRY_HOST
    return "/".join(filter(None, (proxy if _is_proxied(name) else private, name)))


def _in_its_registry(name: str) -> str:
    """Return what manifests call a proxied image; "" if its registry has no host."""
    _, _, path = name.removeprefix(f"{PROXY_PREFIX}/").partition("/")
    has_host = _is_proxied(name) and looks_like_host(path.partition("/")[0])
    return path if has_host else ""


def _repository_and_reference(name: str) -> tuple[str, str]:
    """Return what the private registry calls an image within its application."""
    full_name = image_name(name)
    repository = full_name.partition("/")[2]
    reference = name.removeprefix(full_name)
    return repository, reference.rpartition("@")[2].removeprefix(":")


def _problem_of_private(name: str, stored: set[tuple[str, str]]) -> str:
    repository, reference = _repository_and_reference(name)
    if not settings.BERTH_REGISTRY_HOST:
        return "This installation has no private registry."
    if (repository, reference) in stored:
        return ""
    return f"The private registry has no {reference} of {repository}. Push it."


def _problem_of_proxied(name: str, judge: ImageJudge) -> str:
    if not settings.BERTH_PROXY_HOST:
        return "The operator has set no host of the proxy, BERTH_PROXY_HOST."
    try:
        proxied = parse_proxied_name(image_name(name))
    except MalformedName as error:
        return str(error)
    refusal = judge.refusal(proxied)
    if refusal is None:
        return ""
    registry = refusal.registry.slug if refusal.registry else proxied.upstream
    return _problem(refusal.reason, registry)


def _registry_of(found: PreviewedImage) -> str:
    return found.registry.slug if found.registry else found.detail


def _problem(reason: Reason, registry: str) -> str:
    return _PROBLEMS[reason].format(registry=registry)
