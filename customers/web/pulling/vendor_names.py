"""The one place for image names on the vendor's pages: choose an image, copy lines.

A page shows it by the tag ``pull_names``. Its form is answered here, in place or on a
page of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from customers.mail import site_of
from customers.pulling.image_names import NamedImage, images_to_pull, in_one_form
from customers.pulling.listed_images import (
    NotListable,
    judge_of,
    name_to_list,
    problems_of,
)
from customers.web.pulling.install_lines import SAVE_SECRET, Step, Tool, Wanted
from customers.web.pulling.vendor_lines import tools_for
from licenses.models import Application, License
from licenses.selectors import applications_for_team, licenses_for_team
from oci.digest import MalformedDigest
from oci.kustomize import PROXY_PREFIX
from oci.reference import MalformedName, parse_reference
from portal.http.pages import is_partial, render_page
from portal.http.values import parse_id
from registries.models import PRIVATE_REGISTRY_SLUG, ExternalRegistry
from registries.preview.manifest import ImageJudge
from registries.preview.typed_image import image_in
from registries.providers import canonical_endpoint
from registries.selectors import applications_of_registry
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page

APPLICATIONS_SHOWN = 500
TEMPLATE = "customers/pull_names.html"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is chosen; ``of`` is what the page is about and cannot be chosen.

    ``other`` is a typed name: as the image is called in its registry, or in full.
    """

    application: str = ""
    registry: str = ""
    license: str = ""
    image: str = ""
    other: str = ""
    tool: str = ""
    of: str = ""

    @classmethod
    def in_query(cls, query: Mapping[str, str]) -> Asked:
        names = ("application", "registry", "license", "image", "other", "tool", "of")
        return cls(**{name: query.get(name, "").strip() for name in names})


@require_http_methods(["GET", "HEAD", "POST"])
@team_page(Permission.REGISTRY_READ)
def pull_names_page(request: TeamRequest) -> HttpResponse:
    """Show the name of an image and how to pull it.

    What is chosen is posted, because somebody may paste a secret.
    """
    query = request.POST if request.method == "POST" else request.GET
    context = names_context(request, Asked.in_query(query.dict()))
    context["is_page"] = not is_partial(request)
    return render_page(
        request, "customers/pull_names_page.html", context, partial=TEMPLATE
    )


def names_context(
    request: TeamRequest,
    asked: Asked,
    only: Application | None = None,
    license: License | None = None,
) -> dict[str, Any]:
    """Return what ``customers/pull_names.html`` shows.

    A page about an application or a license has read what cannot be chosen.
    """
    license = license or _license(request, asked)
    applications = [only] if only else _applications(request, asked)
    application = _application(applications, asked, license)
    context: dict[str, Any] = {
        "asked": asked,
        "applications": applications,
        "application": application,
        "private_registry": PRIVATE_REGISTRY_SLUG,
    }
    if application is None:
        return context
    if license is not None and license.application_id != application.pk:
        license = None
    names = _Names(application, asked, license)
    tools = tools_for(names.chosen, names.judge) if names.chosen else []
    tool = next((tool for tool in tools if tool.key == asked.tool), None)
    return context | {
        "license": license,
        "registries": names.registries,
        "images": names.images,
        "chosen": names.chosen,
        "problem": names.problem,
        "tools": tools,
        "tool": tool,
        "steps": _steps(request, application, names.chosen, tool),
        "save_secret": SAVE_SECRET,
    }


@dataclass
class _Names:
    """The images to choose from, and the chosen one or what is wrong with it."""

    application: Application
    asked: Asked
    license: License | None
    judge: ImageJudge = field(init=False)
    images: list[NamedImage] = field(init=False)
    chosen: NamedImage | None = field(init=False)
    problem: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.judge = judge_of(self.application)
        licenses = [self.license.pk] if self.license else None
        wanted = self.asked.registry
        self.images = [
            image
            for image in images_to_pull(self.application, licenses, self.judge)
            if not wanted or image.registry == wanted
        ]
        self.chosen = next(iter(self.images), None)
        self._choose(self.asked.other or self.asked.image)

    @cached_property
    def registries(self) -> list[tuple[str, str]]:
        """Return those that the application may use, by slug and name."""
        usable = [
            (registry.slug, registry.slug)
            for registry in self.judge.registries
            if registry.shared_with_all
            or self.application in registry.applications.all()
        ]
        has_private = bool(settings.BERTH_REGISTRY_HOST)
        private = [(PRIVATE_REGISTRY_SLUG, "Private registry")] if has_private else []
        return [*private, *sorted(usable)]

    def _choose(self, text: str) -> None:
        if not text:
            return
        known = next((image for image in self.images if image.name == text), None)
        # Chosen before another application or registry was.
        is_left_over = not self.asked.other and not known and self._is_of_another(text)
        if known or is_left_over:
            self.chosen = known or self.chosen
            return
        try:
            self.chosen = self._typed(text)
        except NotListable as error:
            self.chosen, self.problem = None, str(error)
            return
        if self.chosen.name not in {image.name for image in self.images}:
            self.images.insert(0, self.chosen)

    def _is_of_another(self, text: str) -> bool:
        if not self.asked.of and not self.asked.registry:
            return f"/{self.application.slug}/" not in text
        return True

    def _typed(self, text: str) -> NamedImage:
        name = name_to_list(_in_full(text, self.asked.registry, self), self.judge)
        if problem := problems_of([name], self.application, self.judge)[name]:
            raise NotListable(problem)
        is_proxied = name.startswith(f"{PROXY_PREFIX}/")
        host = settings.BERTH_PROXY_HOST if is_proxied else settings.BERTH_REGISTRY_HOST
        return in_one_form(f"{host}/{name}", self.judge)


def _in_full(text: str, slug: str, names: _Names) -> str:
    """Return the full name of an image that is named as its registry does.

    Raises:
        NotListable: it names another registry.
    """
    text, application = image_in(text), names.application.slug
    try:
        reference = parse_reference(text)
    except (MalformedName, MalformedDigest):
        return text  # which name_to_list refuses
    if slug == PRIVATE_REGISTRY_SLUG and reference.registry is None:
        path = text if text.startswith(f"{application}/") else f"{application}/{text}"
        return f"{settings.BERTH_REGISTRY_HOST}/{path}"
    registry = next(
        (each for each in names.judge.registries if each.slug == slug), None
    )
    if registry is None or reference.registry == settings.BERTH_PROXY_HOST:
        return text
    if not _is_on(reference.registry, registry):
        raise NotListable(
            f"This image is on {reference.registry}. Enter one on {registry.endpoint}."
        )
    proxied = f"{PROXY_PREFIX}/{application}/{slug}/{reference.without_registry}"
    return f"{settings.BERTH_PROXY_HOST}/{proxied}"


def _is_on(host: str | None, registry: ExternalRegistry) -> bool:
    return host is None or canonical_endpoint(host) == registry.endpoint


def _license(request: TeamRequest, asked: Asked) -> License | None:
    pk = parse_id(asked.license)
    if pk is None or not request.actor.may(Permission.LICENSE_READ):
        return None
    license: License | None = licenses_for_team(request.team.pk).filter(pk=pk).first()
    return license


def _applications(request: TeamRequest, asked: Asked) -> Sequence[Application]:
    """Return the applications to choose from: those that may use a fixed registry."""
    rows = applications_for_team(request.team.pk)
    if asked.of == "registry":
        registry = ExternalRegistry.objects.for_team(request.team.pk).filter(
            slug=asked.registry
        )
        rows = applications_of_registry(registry.get())
    return list(rows.order_by("name", "pk")[:APPLICATIONS_SHOWN])


def _application(
    applications: Collection[Application], asked: Asked, license: License | None
) -> Application | None:
    slug = asked.application or (license.application.slug if license else "")
    named = [each for each in applications if each.slug == slug]
    return next(iter([*named, *applications]), None)


def _steps(
    request: TeamRequest,
    application: Application,
    image: NamedImage | None,
    tool: Tool | None,
) -> list[Step]:
    if tool is None or image is None:
        return []
    return tool.steps(Wanted(application.slug, image.name, site_of(request)))
