"""Makes rows for browser tests, in a process of its own: those tests speak only HTTP.

Each line of the input is a call, each line of the output its result, both in JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
import uuid
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import django

django.setup()

# Django is set up first.
from django.db import close_old_connections  # noqa: E402
from django.utils import timezone  # noqa: E402

from alerts.events import MAILABLE  # noqa: E402
from alerts.services import create_webhook  # noqa: E402
from portal.celery import app as celery_app  # noqa: E402
from teams.models import User  # noqa: E402
from teams.permissions import Role  # noqa: E402
from tests.support.example.data import fill_example_team, session_of  # noqa: E402
from tests.support.pages.reading import give_password  # noqa: E402
from tests.support.rows.alerting import alert  # noqa: E402
from tests.support.rows.factories import (  # noqa: E402
    PASSWORD,
    ContactFactory,
    MembershipFactory,
    UserFactory,
)
from tests.support.rows.vendor import Vendor, create_vendor  # noqa: E402
from tests.support.rows.world import rows_of  # noqa: E402

# Into the void: a check that the worker makes of a registry would change rows later.
celery_app.conf.update(broker_url="memory://")

vendors: dict[str, Vendor] = {}


# What the worker changes in the background.
WRITTEN_BY_THE_WORKER = (
    "registries.CredentialCheck",
    "alerts.Alert",
    "alerts.Delivery",
)
COLUMNS_WRITTEN_BY_THE_WORKER = {
    "registries.ExternalRegistry": (
        *("health", "health_since", "health_checked_at", "suspect", "failures"),
        *("next_check_at", "claimed_until"),
    ),
    "licenses.Notice": ("dispatched_at",),
}


def team(slug: str) -> dict[str, Any]:
    """Make a team with an application, a customer, and a member of every role."""
    vendor = vendors[slug] = create_vendor(slug)
    sessions = {Role.OWNER.value: session_of(vendor.owner)}
    for role in set(Role) - {Role.OWNER}:
        email = f"{role.value}@{slug}.example"
        member = MembershipFactory(team=vendor.team, user__email=email, role=role.value)
        sessions[role.value] = session_of(member.user)
    return {
        "slug": slug,
        "application": vendor.application.slug,
        "application_id": str(vendor.application.pk),
        "customer_id": str(vendor.customer.pk),
        "sessions": sessions,
    }


def registry(team: str, **values: Any) -> str:
    """Connect a registry without trying its credential; return its ID."""
    return str(vendors[team].connect(**values).pk)


def webhook(team: str, url: str, called: str = "Pager") -> str:
    """Add a webhook that receives every alert; return its ID."""
    vendor = vendors[team]
    made, _ = create_webhook(
        actor=vendor.actor, team=vendor.team, name=called, url=url, events=MAILABLE
    )
    return str(made.pk)


def alerts(team: str, number: int) -> None:
    """Raise alerts of the team."""
    batch = uuid.uuid4()
    for index in range(number):
        alert(vendors[team].team, key=f"{batch}-{index}")


def license(team: str) -> dict[str, str]:
    """Issue a license of the team's application to its customer."""
    issued = vendors[team].license()
    return {"id": str(issued.pk), "license_id": issued.license_id.reveal()}


def customer_address(team: str, email: str) -> None:
    """Give the team's customer an e-mail address."""
    customer = vendors[team].customer
    customer.email = email
    customer.save()


def expiring(team: str, number: int) -> None:
    """Issue licenses that expire in ten days."""
    for _ in range(number):
        vendors[team].license(expires_at=timezone.now() + timedelta(days=10))


def contact(team: str, role: str) -> dict[str, str]:
    """Add a person to the team's customer; return their session and its page."""
    customer = vendors[team].customer
    added = ContactFactory(
        customer=customer, email=f"{role}@{team}.customer.example", role=role
    )
    return {
        "session": session_of(UserFactory(email=added.email)),
        "home": f"/c/{customer.pk}/",
    }


def rows(team: str) -> dict[str, str]:
    """Return a digest, for each model, of all that the database holds of a team."""
    rows = rows_of(vendors[team].team)
    for label in WRITTEN_BY_THE_WORKER:
        del rows[label]
    for label, columns in COLUMNS_WRITTEN_BY_THE_WORKER.items():
        for row in rows[label]:
            for column in columns:
                del row[column]
    return {
        label: hashlib.sha256(
            json.dumps(found, default=str, sort_keys=True).encode()
        ).hexdigest()
        for label, found in rows.items()
    }


def password(email: str) -> str:
    """Give a user a password and return it."""
    give_password(User.objects.get(email=email))
    return PASSWORD


def example_team() -> dict[str, Any]:
    """Fill a team with believable data of every kind and state."""
    return asdict(fill_example_team("kestrel"))


CALLS: dict[str, Callable[..., Any]] = {
    call.__name__: call
    for call in (
        *(team, registry, webhook, alerts, license, expiring, contact, rows, password),
        *(customer_address, example_team),
    )
}


def main() -> None:
    for line in sys.stdin:
        name, arguments = json.loads(line)
        close_old_connections()  # the database may have been started again
        result = CALLS[name](**arguments)
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
