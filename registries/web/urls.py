from __future__ import annotations

from django.urls import URLPattern, path

from teams.web.placeholder import placeholder

urlpatterns: list[URLPattern] = [
    path("", placeholder, name="dashboard"),
    path("images", placeholder, name="images"),
    path("pulls", placeholder, name="pulls"),
    path("why", placeholder, name="why"),
    path("manifest", placeholder, name="manifest"),
]
