"""Addresses of the vendor's pages, and of those that belong to no team."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from customers.web import look

team_urlpatterns: list[URLPattern | URLResolver] = [
    path("settings/customers", look.look, name="customer-look"),
    path("settings/customers/logo", look.upload_logo, name="customer-look-logo"),
    path(
        "settings/customers/logo/remove",
        look.remove_logo,
        name="customer-look-logo-remove",
    ),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("logos/<str:digest>", look.logo, name="vendor-logo"),
    path("colors/<str:color>.css", look.accent_style, name="vendor-accent"),
]
