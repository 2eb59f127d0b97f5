from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path, reverse_lazy
from django.views.generic import RedirectView

from customers.web import urls as customer_urls
from export.web import urlpatterns as export_urls
from images.web.notifications import registry_notifications
from licenses.web.license_root import license_root
from portal.guide.views import help_page
from portal.health import livez, readyz
from portal.metrics import metrics
from registries.web import identity_issuer
from search.web import urlpatterns as search_urls
from teams.web import entrance, sessions, single_sign_on

# Operators sign in as everyone else does, with their second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

change_password = RedirectView.as_view(url=reverse_lazy("account_change_password"))

team_pages: list[URLPattern | URLResolver] = [
    path("second-factor", entrance.second_factor_needed, name="second-factor-needed"),
    path("", include("teams.web.urls")),
    path("", include("alerts.web.urls")),
    path("", include("licenses.web.urls")),
    path("", include("registries.web.urls")),
    path("", include("images.web.urls")),
    path("", include(customer_urls.team_urlpatterns)),
    path("", include(search_urls)),
    path("", include(export_urls)),
]

# Named as the folders of the built guide are.
help_pages = [re_path(r"^(?P<page>(?:[a-z-]+/)*)$", help_page, name="help")]

handler400 = "portal.http.error_pages.bad_request"
handler404 = "teams.web.missing.not_found"
# Of django-allauth, whose limits count by the minute.
handler429 = "portal.http.error_pages.too_many"
handler500 = "portal.http.error_pages.server_error"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", entrance.home, name="home"),
    path("set-up", entrance.set_up_page, name="set-up"),
    path("theme", entrance.choose_theme, name="theme"),
    path("invitations/<str:secret>", entrance.invitation, name="invitation"),
    path("accounts/oidc/<str:provider_id>/login/", single_sign_on.start),
    path("accounts/oidc/<str:provider_id>/login/callback/", single_sign_on.callback),
    # Nobody enters an e-mail address: it comes from the identity provider.
    path(
        "accounts/3rdparty/signup/",
        RedirectView.as_view(url=reverse_lazy("account_login")),
    ),
    path("accounts/sessions/", sessions.sessions, name="sessions"),
    path(
        "accounts/sessions/<str:session_id>/end",
        sessions.end_session,
        name="sessions-end",
    ),
    path("accounts/", include("allauth.urls")),
    path("t/<str:team>/", include(team_pages)),
    path("c/", include(customer_urls)),
    path(".well-known/openid-configuration", identity_issuer.openid_configuration),
    path(".well-known/jwks.json", identity_issuer.jwks),
    path(".well-known/berth-license-root.pem", license_root),
    path("help/", include(help_pages)),
    path("livez", livez),
    path("readyz", readyz),
    path("metrics", metrics),
    path("registry-notifications", registry_notifications),
    # The admin's own page would bypass the audit log.
    path("admin/password_change/", change_password),
    path("admin/password_change/done/", change_password),
    path("admin/", admin.site.urls),
    path("api/v1/", include("portal.api_urls")),
]
