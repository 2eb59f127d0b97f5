"""Whole lists as CSV."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.browser.portal_pages import PARAMETERS

_ENDS = ("-export", "-csv")


def download_routes() -> Iterator[tuple[str, str]]:
    """Yield every list that can be downloaded, and who may."""
    for route in sorted(PARAMETERS):
        # Members see the same as the customer.
        if route.endswith(_ENDS) and not route.startswith("customer-view:"):
            yield route, "contact" if route.startswith("customer:") else "owner"
