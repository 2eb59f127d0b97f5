"""Pages that show licenses, license IDs and license files."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django import forms
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django_filters import filters

from licenses.filters import (
    EXPIRING,
    LicenseFilter,
    expiring,
    from_first_name,
)
from licenses.history import bytes_by_day, events_of_license, history, recent_pulls
from licenses.identity_selectors import identities_to_show
from licenses.models import (
    END,
    License,
    LicenseField,
    LicenseQuerySet,
    LicenseState,
)
from licenses.selectors import (
    HIDDEN_VALUE,
    channels_by_application,
    contains_text,
    effective_field_values,
    is_secret,
    licenses_for_team,
    licenses_with_id,
    pull_credentials_to_show,
)
from licenses.services import download_license_file, reveal_license_id
from licenses.services.bulk import LIMIT
from licenses.web.identities.forms import KIND_MENU
from licenses.web.traffic_chart import DAYS, TrafficChart, traffic_chart
from portal.crypto.secrets import Secret
from portal.http.keyset import keyset_page
from portal.http.pages import is_partial, render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.lists.export import export_list
from teams.web.lists.filters import (
    FirstDayFilter,
    LastDayFilter,
    PageFilter,
    search_input,
)
from teams.web.lists.tables import Column, Table, instant_cell, table_list


class _FirstExpiryFilter(FirstDayFilter):
    def bound(self, rows: Any, instant: datetime) -> LicenseQuerySet:
        return expiring(rows, self.lookup, instant)


class _LastExpiryFilter(LastDayFilter):
    def bound(self, rows: Any, instant: datetime) -> LicenseQuerySet:
        return expiring(rows, self.lookup, instant)


class LicensePageFilter(PageFilter, LicenseFilter):
    shown = (
        *("search", "state", "type", "application", "channel"),
        *("first_expiry", "last_expiry"),
    )
    leaves_out_archived = False
    search = filters.CharFilter(
        method="filter_search",
        label="Search",
        widget=search_input("Customer, field value, license ID or pull credential"),
    )
    state = filters.ChoiceFilter(
        method="filter_state",
        label="State",
        choices=[
            (LicenseState.ACTIVE, "Active"),
            (EXPIRING, "Expiring within 30 days"),
            (LicenseState.EXPIRED, "Expired"),
            (LicenseState.REVOKED, "Revoked"),
        ],
    )
    application = filters.CharFilter(
        method="filter_application", label="Application", widget=forms.Select
    )
    channel = filters.UUIDFilter(
        field_name="channel_id", label="Channel", widget=forms.Select
    )
    first_expiry = _FirstExpiryFilter(field_name="expires_at", label="Expires from")
    last_expiry = _LastExpiryFilter(field_name="expires_at", label="Expires by")

    def begun(self, rows: QuerySet[Any], order: str) -> QuerySet[Any]:
        text = _text(self.data)
        if not text or order not in ("customer", "-customer"):
            return rows
        of_team = License.objects.for_team(self._team_id)
        if of_team.filter(contains_text(text)).exists():
            return rows  # found by the value of a field, whatever the name
        return from_first_name(rows, "customer__name", self._team_id, text, order)


TABLE = Table(
    (
        Column(
            "customer",
            "Customer",
            lambda row: row.customer.name,
            by=Lower("customer__name"),
            where=Q(customer__team=F("team")),
        ),
        Column("customer_id", cell=lambda row: str(row.customer_id)),
        Column("custom_id", cell=lambda row: row.customer.custom_id),
        Column("application", "Application", lambda row: row.application.name),
        Column("channel", "Channel", lambda row: row.channel.name),
        Column("type", "Type", lambda row: row.type),
        Column("state", "State", lambda row: row.standing()),
        Column(
            "expires",
            "Expires",
            lambda row: instant_cell(row.expires_at),
            by=END,
        ),
        Column(
            "issued",
            "Issued",
            lambda row: instant_cell(row.created_at),
            by="created_at",
            descends=True,
        ),
        Column("id", cell=lambda row: str(row.pk)),
    ),
    order="-issued",
)


@require_http_methods(["GET", "HEAD", "POST"])
@team_page(Permission.LICENSE_READ)
def licenses(request: TeamRequest) -> HttpResponse:
    """List the team's licenses, with search.

    A search is posted, because it may contain a license ID or a pull credential. Those
    must not appear in an address. Any other search redirects to its own address.
    """
    query = request.POST if request.method == "POST" else request.GET
    if request.method == "POST" and not is_secret(_text(query)):
        kept = (*LicensePageFilter.shown, "sort")
        entered = {name: query[name] for name in kept if query.get(name)}
        address = QueryDict(mutable=True)
        address.update(entered)
        return redirect(f"{request.path}?{address.urlencode()}".rstrip("?"))
    filters = _filters(request, query)
    context = table_list(filters, TABLE)
    context |= {"actions": _actions(request), "limit": LIMIT}
    context["is_by_secret"] = is_secret(_text(query))
    context["is_filtered"] |= context["is_by_secret"]
    return render_page(
        request,
        "licenses/licenses.html",
        context,
        partial="licenses/licenses_list.html",
    )


@require_safe
@team_page(Permission.LICENSE_READ)
def export_licenses(request: TeamRequest) -> HttpResponseBase:
    """Stream the filtered licenses as CSV, without license IDs."""
    return export_list(request, filtered_licenses(request), TABLE, "licenses")


def _actions(request: TeamRequest) -> list[tuple[str, str, str]]:
    """Return what the user may do to many licenses: label, page and tone."""
    may, actions = request.actor.may, []
    if may(Permission.LICENSE_CHANGE):
        actions.append(("Renew…", "licenses-bulk-renew", ""))
        actions.append(("Change channel…", "licenses-bulk-channel", ""))
    if may(Permission.LICENSE_REVOKE):
        actions.append(("Revoke…", "licenses-bulk-revoke", "danger"))
    return actions


def filtered_licenses(request: TeamRequest) -> LicensePageFilter:
    """Return the list's filters, with their values in the address."""
    return _filters(request, request.GET)


def _text(query: QueryDict) -> str:
    return query.get("search", "").strip()


def _filters(request: TeamRequest, query: QueryDict) -> LicensePageFilter:
    """Return the filters, without their values if a secret was entered."""
    text, team_id = _text(query), request.team.pk
    if is_secret(text):
        filters = LicensePageFilter({}, licenses_with_id(team_id, Secret(text)))
    else:
        rows = licenses_for_team(team_id).unarchived()
        filters = LicensePageFilter(query, rows, request=request)
    channels = cache(lambda: channels_by_application(team_id))
    filters.offer(
        "application",
        lambda: [(application.slug, application.name) for application, _ in channels()],
    )
    filters.offer(
        "channel",
        lambda: [
            (application.name, [(channel.pk, channel.name) for channel in own])
            for application, own in channels()
        ],
    )
    return filters


@require_safe
@team_page(Permission.LICENSE_READ)
def license_detail(request: TeamRequest, license_id: uuid.UUID) -> HttpResponse:
    """Show a license with its values, history and pulls."""
    license = find(licenses_for_team(request.team.pk), license_id)
    return _detail(request, license)


@require_POST
@team_page(Permission.LICENSE_REVEAL)
def reveal(request: TeamRequest, license_id: uuid.UUID) -> HttpResponse:
    """Show the license ID in the response to this request only."""
    license = find(licenses_for_team(request.team.pk), license_id)
    shown = reveal_license_id(actor=request.actor, license=license).reveal()
    return _detail(request, license, revealed=shown)


@require_POST
@team_page(Permission.LICENSE_REVEAL)
def download(request: TeamRequest, license_id: uuid.UUID) -> HttpResponse:
    """Send the license file."""
    license = find(licenses_for_team(request.team.pk), license_id)
    text = download_license_file(actor=request.actor, license=license)
    name = f"license-{license.application.slug}.yaml"
    return HttpResponse(
        text,
        content_type="application/yaml",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def _detail(
    request: TeamRequest, license: License, *, revealed: str = ""
) -> HttpResponse:
    context: dict[str, Any] = {"license": license, "revealed": revealed}
    if is_partial(request):
        return render_page(request, "licenses/license_id.html", context)
    events = events_of_license(request.team.pk, license)
    page = keyset_page(events, request.GET.get("page", ""))
    context |= {
        "values": [
            (field, _shown(field, value))
            for field, value in effective_field_values(license)
        ],
        "credentials": pull_credentials_to_show(license),
        "identities": identities_to_show(license),
        "identity_kinds": KIND_MENU,
        "pulls": recent_pulls(license),
        "traffic": _traffic(license),
        # Covers only this license, so it needs no permission for the audit log.
        "page": page,
        "history": history(page.rows),
    }
    return render_page(request, "licenses/license.html", context)


def _traffic(license: License) -> TrafficChart:
    today = timezone.now().date()
    return traffic_chart(bytes_by_day(license, today - timedelta(days=DAYS)), today)


def _shown(field: LicenseField, value: object) -> object:
    if field.type == LicenseField.Type.PASSWORD and value:
        return HIDDEN_VALUE
    return value


def license_address(request: TeamRequest, license: License) -> str:
    """Return the address of the license's page."""
    return team_url(request, "licenses-detail", license_id=license.pk)
