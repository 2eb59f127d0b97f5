"""A customer's license files: download, how to verify them, and what has changed."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from django.http import HttpResponse
from django.views.decorators.http import require_POST, require_safe

from customers.mail import site_of
from customers.models import ContactRole
from customers.web.base import CustomerRequest, customer_page
from customers.web.overview import LicenseCard
from licenses.history import HistoryEntry, events_for_customers, history_for_customer
from licenses.models import License, LicenseQuerySet
from licenses.selectors import licenses_for_team
from licenses.services import download_license_file
from portal.http.keyset import keyset_page
from portal.http.pages import render_page
from teams.web.base import find

LICENSES_PER_PAGE = 10
EVENTS_SHOWN = 300
ROOT_KEY = "berth-license-root.pem"


@dataclass(frozen=True, slots=True)
class FileCard(LicenseCard):
    """A license, the name of its file, and what has changed, newest first."""

    file: str
    history: Sequence[HistoryEntry]

    @property
    def verify(self) -> str:
        return f"berth-installer verify --license {self.file} --root-key {ROOT_KEY}"


@require_safe
@customer_page()
def license_file(request: CustomerRequest) -> HttpResponse:
    """Show the customer's licenses with their files and changes."""
    page = keyset_page(
        _licenses(request), request.GET.get("page", ""), size=LICENSES_PER_PAGE
    )
    root_key = quote(f"{site_of(request)}/.well-known/{ROOT_KEY}")
    context = {
        "page": page,
        "cards": _cards(request, page.rows),
        "fetch_root_key": f"curl --fail --silent --show-error --remote-name {root_key}",
    }
    return render_page(request, "customers/license_file.html", context)


@require_POST
@customer_page(ContactRole.ADMINISTRATOR)
def download(request: CustomerRequest, license_id: uuid.UUID) -> HttpResponse:
    """Send a license's file, which contains its ID."""
    license = find(_licenses(request), license_id)
    text = download_license_file(actor=request.actor, license=license)
    return HttpResponse(
        text,
        content_type="application/yaml",
        headers={
            "Content-Disposition": f'attachment; filename="{_file(license)}"',
            "Cache-Control": "no-store",
        },
    )


def _licenses(request: CustomerRequest) -> LicenseQuerySet:
    return licenses_for_team(request.vendor.pk).filter(customer=request.customer)


def _file(license: License) -> str:
    return f"license-{license.application.slug}.yaml"


def _cards(request: CustomerRequest, licenses: Sequence[License]) -> list[FileCard]:
    events = defaultdict(list)
    of_licenses = events_for_customers(request.vendor.pk, licenses)
    for event in of_licenses[:EVENTS_SHOWN]:
        events[event.subject_id].append(event)
    return [
        FileCard(
            license,
            license.standing(),
            _file(license),
            history_for_customer(events[license.pk], request.look.name),
        )
        for license in licenses
    ]
