"""What customers see of a team, by API."""

from __future__ import annotations

import base64

from customers.models import VendorLook
from teams.models import Team
from tests.support.clients.api import ApiClient
from tests.support.pages.pictures import png

LOOK = "/team/look"


def test_the_look_is_read_and_changed(
    owner_api: ApiClient, viewer_api: ApiClient
) -> None:
    changes = {"display_name": "Kestrel", "logo": base64.b64encode(png()).decode()}

    changed = owner_api.request("patch", LOOK, changes)

    assert changed.status_code == 200
    read = viewer_api.request("get", LOOK).json()
    assert read == changed.json()
    assert read["display_name"] == "Kestrel"
    assert read["logo_url"].startswith("/c/logos/")
    assert owner_api.request("patch", LOOK, {"logo": None}).json()["logo_url"] is None


def test_one_invalid_value_leaves_everything_unchanged(
    owner_api: ApiClient, team: Team
) -> None:
    good = base64.b64encode(png()).decode()
    for wrong in (
        {"logo": "%%%"},
        {"logo": "é"},
        {"logo": base64.b64encode(b"<svg>").decode()},
        {"logo": good, "support_url": "javascript:alert(1)"},
        {"logo": good, "accent": "red"},
        {"logo_url": "/c/logos/x"},
    ):
        response = owner_api.request("patch", LOOK, wrong)

        assert response.status_code == 400
    assert not VendorLook.objects.exclude(logo=None).exists()


def test_a_viewer_cannot_change_the_look(viewer_api: ApiClient, team: Team) -> None:
    response = viewer_api.request("patch", LOOK, {"display_name": "Mine"})

    assert response.status_code == 403
    assert not VendorLook.objects.exists()
