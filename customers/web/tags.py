"""Tags for the templates of a customer's pages."""

from __future__ import annotations

from django import template

from customers.pulling.listed_images import listed_images
from customers.web.base import customer_url as url_of
from customers.web.pulling.installer import InstallerLines
from customers.web.pulling.installer import installer_lines as lines_for
from customers.web.pulling.vendor_names import TEMPLATE, Asked, names_context
from licenses.models import Application, License
from registries.models import ExternalRegistry

register = template.Library()


@register.simple_tag(takes_context=True)
def customer_url(context: template.Context, name: str, **names: object) -> str:
    """Return the address of a page of the customer."""
    return url_of(context["request"], name, **names)


@register.simple_tag(takes_context=True)
def installer_lines(context: template.Context) -> InstallerLines | None:
    """Return the lines that install the installer, or None if it is not here."""
    return lines_for(context["request"])


@register.inclusion_tag("customers/listed_images.html", takes_context=True)
def images_for_customers(
    context: template.Context, application: Application
) -> dict[str, object]:
    """Show the vendor which images of an application customers see first."""
    names = ("team", "may")
    shown = {name: context[name] for name in names}
    return {**shown, "application": application, "listed": listed_images(application)}


@register.inclusion_tag(TEMPLATE, takes_context=True)
def pull_names(
    context: template.Context,
    *,
    application: Application | None = None,
    registry: ExternalRegistry | None = None,
    license: License | None = None,
    image: str = "",
) -> dict[str, object]:
    """Show the vendor image names and lines, of what the page is about if given."""
    of = {"application": application, "registry": registry, "license": license}
    only = license.application if license else application
    asked = Asked(
        application=application.slug if application else "",
        registry=registry.slug if registry else "",
        license=str(license.pk) if license else "",
        image=image,
        of=next((name for name, thing in of.items() if thing), ""),
    )
    shown = {name: context[name] for name in ("team", "may", "request")}
    return {**shown, **names_context(context["request"], asked, only, license)}
