"""What tests of a team's pages share."""

from __future__ import annotations

import uuid
from typing import Any

from django.test import Client

from teams.models import Membership


def signed_in(membership: Membership) -> Client:
    """Return a browser in which a member is signed in."""
    client = Client()
    client.force_login(membership.user)
    return client


def submission() -> dict[str, str]:
    """Return what names one rendering of a form that makes something."""
    return {"submission": str(uuid.uuid4())}


def seen(client: Client, address: str) -> dict[str, str]:
    """Return what an edit form at this address says it was shown with."""
    return {"seen": str(client.get(address).context["form"].initial["seen"])}


def message_of(response: Any, field: str) -> str:
    """Return the message beside a field, after checking that it stands there."""
    assert response.status_code == 200
    assert f'id="id_{field}_errors"' in response.content.decode()
    return " ".join(response.context["form"].errors[field])
