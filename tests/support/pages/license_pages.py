"""What tests of the pages of licenses and customers read them with."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client

from licenses.models import License
from teams.models import Membership

LICENSES = "/t/acme/licenses"
HTMX = {"HX-Request": "true"}


def signed_in(client: Client, membership: Membership) -> Client:
    client.force_login(membership.user)
    return client


def page(client: Client, address: str, **options: Any) -> str:
    response = client.get(address, **options)
    assert response.status_code == 200
    return response.content.decode()


def customers_listed(text: str) -> list[str]:
    return re.findall(r'<td data-label="Customer"[^>]*><a [^>]*>([^<]*)</a>', text)


def error_beside(text: str, control: str) -> str:
    found = re.search(rf'id="{control}_errors">([^<]*)<', text)
    return found[1] if found else ""


def hidden(text: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found
    return found[1]


def address(license: License, action: str = "") -> str:
    return f"{LICENSES}/{license.pk}" + (f"/{action}" if action else "")
