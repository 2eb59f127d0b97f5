from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from portal.health import livez, readyz

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(url="/api/v1/docs")),
    path("livez", livez),
    path("readyz", readyz),
    path("admin/", admin.site.urls),
    path("api/v1/", include("portal.api_urls")),
]
