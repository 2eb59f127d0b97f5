"""Tags for the templates of a customer's pages."""

from __future__ import annotations

from django import template

from customers.web.base import customer_url as url_of

register = template.Library()


@register.simple_tag(takes_context=True)
def customer_url(context: template.Context, name: str, **names: object) -> str:
    """Return the address of a page of the customer."""
    return url_of(context["request"], name, **names)
