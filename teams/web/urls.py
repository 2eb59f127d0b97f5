from __future__ import annotations

from django.urls import URLPattern, path

from teams.web import settings
from teams.web.placeholder import placeholder

urlpatterns: list[URLPattern] = [
    path("applications", placeholder, name="applications"),
    path("members", placeholder, name="members"),
    path("service-accounts", placeholder, name="service-accounts"),
    path("api-tokens", placeholder, name="api-tokens"),
    path("audit", placeholder, name="audit"),
    path("settings", settings.team_settings, name="team-settings"),
]
