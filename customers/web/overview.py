"""A customer's first page: their licenses, and what to do about them."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from customers.web.base import CustomerRequest, customer_page
from licenses.models import License
from licenses.models.licenses import Standing
from licenses.selectors import licenses_for_team
from portal.http.pages import render_page
from registries.selectors import licenses_with_pulls

SHOWN = 200
# Licenses that need something done come first.
_ORDER = (
    Standing.EXPIRING,
    Standing.EXPIRED,
    Standing.CUSTOMER_ARCHIVED,
    Standing.ACTIVE,
    Standing.REVOKED,
)
_TONES = {
    Standing.ACTIVE: "good",
    Standing.EXPIRING: "warning",
    Standing.EXPIRED: "bad",
    Standing.REVOKED: "bad",
    Standing.CUSTOMER_ARCHIVED: "bad",
}
_STATES = {
    Standing.ACTIVE: "works",
    Standing.EXPIRING: "ends soon",
    Standing.EXPIRED: "ended",
    Standing.REVOKED: "revoked",
    Standing.CUSTOMER_ARCHIVED: "suspended",
}


@dataclass(frozen=True, slots=True)
class LicenseCard:
    """A license in the customer's words; never why the vendor revoked it."""

    license: License
    standing: Standing

    @property
    def state(self) -> str:
        return _STATES[self.standing]

    @property
    def can_pull(self) -> bool:
        return self.standing in {Standing.ACTIVE, Standing.EXPIRING}

    @property
    def tone(self) -> str:
        return _TONES[self.standing]


@require_safe
@customer_page()
def overview(request: CustomerRequest) -> HttpResponse:
    """Show the customer's licenses: what works, what ends when, and what to do."""
    shown = cards(request)
    context = {
        "cards": shown,
        "pulled": licenses_with_pulls(
            request.vendor.pk, (card.license for card in shown)
        ),
    }
    return render_page(request, "customers/overview.html", context)


def cards(request: CustomerRequest) -> list[LicenseCard]:
    """Return the customer's licenses, those that need something done first."""
    licenses = licenses_for_team(request.vendor.pk).unarchived()
    licenses = licenses.filter(customer=request.customer)
    found = [LicenseCard(each, each.standing()) for each in licenses[:SHOWN]]
    return sorted(found, key=lambda card: _ORDER.index(card.standing))
