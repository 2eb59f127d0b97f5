"""How a customer pulls: the real names of their images, and lines to copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from customers.mail import site_of
from customers.pulling.image_names import NamedImage, images_to_pull
from customers.web.base import CustomerRequest, customer_page
from customers.web.pulling.install_lines import (
    SAVE_SECRET,
    TOOLS,
    WITHOUT_IMAGE,
    Tool,
    Wanted,
)
from licenses.models import Application, License
from licenses.models.licenses import Standing
from licenses.selectors import licenses_for_team
from portal.http.pages import render_page

LICENSES_SHOWN = 200
_WORKING = (Standing.ACTIVE, Standing.EXPIRING)


@require_safe
@customer_page()
def install(request: CustomerRequest) -> HttpResponse:
    """Show how to pull an image of an application with a tool, as the query says."""
    licenses = _working_licenses(request)
    applications = _applications(licenses)
    application = _chosen(request, applications)
    if application is None:
        return render_page(request, "customers/install.html", {"applications": []})
    images = images_to_pull(
        application,
        [item.pk for item in licenses if item.application_id == application.pk],
    )
    chosen = _chosen_image(request, images)
    image = chosen.name if chosen else ""
    tool = _tool(request, image)
    wanted = Wanted(application.slug, image, site_of(request))
    context = {
        "applications": applications,
        "application": application,
        "images": images,
        "chosen": chosen,
        "tools": _tools(image),
        "tool": tool,
        "steps": tool.steps(wanted),
        "save_secret": SAVE_SECRET,
    }
    return render_page(request, "customers/install.html", context)


def _working_licenses(request: CustomerRequest) -> list[License]:
    licenses = licenses_for_team(request.vendor.pk).filter(customer=request.customer)
    return [
        license
        for license in licenses.active()[:LICENSES_SHOWN]
        if license.standing() in _WORKING
    ]


def _applications(licenses: Iterable[License]) -> list[Application]:
    found = {license.application_id: license.application for license in licenses}
    return sorted(found.values(), key=lambda application: application.name)


def _chosen(
    request: CustomerRequest, applications: Sequence[Application]
) -> Application | None:
    slug = request.GET.get("application", "")
    named = [each for each in applications if each.slug == slug]
    return next(iter([*named, *applications]), None)


def _chosen_image(
    request: CustomerRequest, images: Sequence[NamedImage]
) -> NamedImage | None:
    name = request.GET.get("image", "")
    named = [each for each in images if each.name == name]
    return next(iter([*named, *images]), None)


def _tools(image: str) -> list[Tool]:
    return list(TOOLS.values()) if image else [TOOLS[WITHOUT_IMAGE]]


def _tool(request: CustomerRequest, image: str) -> Tool:
    tools = _tools(image)
    named = request.GET.get("tool", "")
    return next((tool for tool in tools if tool.key == named), tools[0])
