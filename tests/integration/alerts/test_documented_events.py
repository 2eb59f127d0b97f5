"""Every event is documented with a payload that looks like what receivers get."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks import Webhook as Verifier

from alerts.dispatch import send_due_webhooks
from alerts.events import CHOOSABLE, Event
from alerts.models import Webhook
from alerts.services import create_webhook, send_test
from licenses.alerts import alert_expiring_licenses
from licenses.credential_alerts import (
    alert_expiring_credentials,
    alert_unused_credentials,
)
from licenses.models import Customer, License, PullCredential
from licenses.services import (
    archive_customer,
    change_customer,
    change_license,
    create_customer,
    create_license_field,
    create_pull_credential,
    reinstate_license,
    restore_customer,
    revoke_leaked,
    revoke_license,
    revoke_pull_credential,
    rotate_pull_credential,
    touch_pull_credential,
)
from licenses.services.identities import remove_trusted_identity
from portal.crypto.secrets import Secret
from registries.checks.attempt import CheckResult
from registries.checks.results import record_check
from registries.models.health import Outcome
from registries.pulls.events import Counted, Pull
from registries.pulls.usage import Usage, record_usage
from registries.selectors import active_credential
from teams.actors import NO_REQUEST
from tests.support.issuers.token_issuer import TokenIssuer
from tests.support.rows.factories import pull_credential
from tests.support.rows.identities import trusted
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.receiver import Receiver, running_receiver

DOCUMENT = Path(__file__).parents[3] / "docs/reference/events.md"
EXAMPLES = {
    name: json.loads(example)
    for name, example in re.findall(
        r"^### `([a-z_.]+)`\n.*?^```json\n(.*?)^```",
        DOCUMENT.read_text(),
        re.MULTILINE | re.DOTALL,
    )
}
EVENTS = [event for event in Event if event is not Event.WEBHOOK_DISABLED]
STATUS = {
    Outcome.VALID: 200,
    Outcome.REJECTED: 401,
    Outcome.REPOSITORY_DENIED: 403,
    Outcome.RATE_LIMITED: 429,
    Outcome.UNREACHABLE: None,
    Outcome.UPSTREAM_ERROR: 503,
}


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with running_receiver() as receiver:
        settings.BERTH_INSECURE_WEBHOOKS = [receiver.host]
        yield receiver


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def webhook(vendor: Vendor, receiver: Receiver) -> tuple[Webhook, Secret]:
    return create_webhook(
        actor=vendor.actor,
        team=vendor.team,
        name="Automation",
        url=receiver.url,
        events=[event.value for event in CHOOSABLE],
    )


def shape(value: object) -> object:
    """Return keys and types: two payloads of one shape are read by the same program."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value).__name__


def license_in(vendor: Vendor, days: float = 365) -> License:
    return vendor.license(expires_at=timezone.now() + timedelta(days=days))


def check(vendor: Vendor, *outcomes: Outcome) -> None:
    """Let a registry become valid, and then what the outcomes make of it."""
    registry = vendor.connect("registry.example.com", "sample")
    credential = active_credential(registry)
    for outcome in (Outcome.VALID, *outcomes):
        record_check(credential, CheckResult(outcome, STATUS[outcome], 12, "So it is."))


def expire(vendor: Vendor, days: float) -> None:
    license_in(vendor, days)
    alert_expiring_licenses()


def revoke(vendor: Vendor) -> License:
    return revoke_license(
        actor=vendor.actor, license=license_in(vendor), reason="Not paid"
    )


def change(vendor: Vendor) -> None:
    field = {"name": "seats", "title": "Seats", "type": "Integer"}
    create_license_field(
        actor=vendor.actor, application=vendor.application, values=field
    )
    change_license(
        actor=vendor.actor,
        license=license_in(vendor),
        changes={"expires_at": timezone.now(), "field_values": {"seats": 5}},
    )


def customer_of(vendor: Vendor) -> Customer:
    return create_customer(
        actor=vendor.actor, team=vendor.team, name="Initech", custom_id="C-1001"
    )


def restore(vendor: Vendor) -> None:
    customer = archive_customer(actor=vendor.actor, customer=customer_of(vendor))
    restore_customer(actor=vendor.actor, customer=customer)


def credential(vendor: Vendor) -> PullCredential:
    credential, _ = create_pull_credential(
        actor=vendor.actor,
        license=license_in(vendor),
        name="cluster-1",
        expires_at=timezone.now() + timedelta(days=6),
        networks=["203.0.113.0/24"],
    )
    return credential


def expire_credential(vendor: Vendor) -> None:
    credential(vendor)
    alert_expiring_credentials()


def leave_unused(vendor: Vendor) -> None:
    pull_credential(
        license_in(vendor),
        networks=["203.0.113.0/24"],
        last_used_at=timezone.now() - timedelta(days=91),
    )
    alert_unused_credentials()


def move(vendor: Vendor) -> None:
    row, _ = pull_credential(license_in(vendor))
    for address in ("203.0.113.7", "198.51.100.7"):
        touch_pull_credential(vendor.team.pk, row.pk, address, "docker")


def leak(vendor: Vendor) -> None:
    _, text = pull_credential(
        license_in(vendor),
        expires_at=timezone.now() + timedelta(days=6),
        networks=["203.0.113.0/24"],
    )
    revoke_leaked(Secret(text), NO_REQUEST)


def refuse(vendor: Vendor) -> None:
    row = credential(vendor)
    pull = Pull(
        team_id=vendor.team.pk,
        hour=datetime(2026, 3, 1, 12, tzinfo=UTC),
        application_slug=vendor.application.slug,
        holder=f"pull-credential:{row.pk}",
        license_id=row.license_id,
        registry_id=None,
        repository="quay.io/my-org/api",
        reference="v1.0.1",
        outcome="license_expired",
        credential_id=row.pk,
    )
    record_usage(Usage({pull: Counted(timezone.now())}))


CAUSES: dict[str, Callable[[Vendor], object]] = {
    "registry.rejected": lambda vendor: check(vendor, *[Outcome.REJECTED] * 2),
    "registry.repository_denied": lambda vendor: check(
        vendor, *[Outcome.REPOSITORY_DENIED] * 2
    ),
    "registry.rate_limited": lambda vendor: check(vendor, *[Outcome.RATE_LIMITED] * 3),
    "registry.unreachable": lambda vendor: check(vendor, *[Outcome.UNREACHABLE] * 3),
    "registry.upstream_error": lambda vendor: check(
        vendor, *[Outcome.UPSTREAM_ERROR] * 3
    ),
    "registry.recovered": lambda vendor: check(
        vendor, *[Outcome.UNREACHABLE] * 3, Outcome.VALID
    ),
    "license.expiring": lambda vendor: expire(vendor, 6),
    "license.expired": lambda vendor: expire(vendor, -0.1),
    "license.revoked": revoke,
    "license.issued": license_in,
    "license.changed": change,
    "license.reinstated": lambda vendor: reinstate_license(
        actor=vendor.actor, license=revoke(vendor)
    ),
    "customer.created": customer_of,
    "customer.changed": lambda vendor: change_customer(
        actor=vendor.actor, customer=customer_of(vendor), changes={"name": "Initrode"}
    ),
    "customer.archived": lambda vendor: archive_customer(
        actor=vendor.actor, customer=customer_of(vendor)
    ),
    "customer.restored": restore,
    "trusted_identity.added": lambda vendor: trusted(license_in(vendor), TokenIssuer()),
    "trusted_identity.removed": lambda vendor: remove_trusted_identity(
        actor=vendor.actor, identity=trusted(license_in(vendor), TokenIssuer())
    ),
    "pull_credential.created": credential,
    "pull_credential.rotated": lambda vendor: rotate_pull_credential(
        actor=vendor.actor, credential=credential(vendor)
    ),
    "pull_credential.revoked": lambda vendor: revoke_pull_credential(
        actor=vendor.actor, credential=credential(vendor)
    ),
    "pull_credential.expiring": expire_credential,
    "pull_credential.unused": leave_unused,
    "pull_credential.new_network": move,
    "secret.leaked": leak,
    "pull.refused": refuse,
    "webhook.test": lambda vendor: send_test(
        actor=vendor.actor, webhook=Webhook.objects.get()
    ),
}


def test_every_event_that_webhooks_get_is_documented() -> None:
    assert sorted(EXAMPLES) == sorted(event.value for event in EVENTS)


@pytest.mark.parametrize("event", [event.value for event in EVENTS])
def test_a_receiver_gets_what_is_documented(
    event: str,
    vendor: Vendor,
    webhook: tuple[Webhook, Secret],
    receiver: Receiver,
) -> None:
    CAUSES[event](vendor)

    send_due_webhooks()

    sent = [
        Verifier(webhook[1].reveal()).verify(got.body, got.headers)
        for got in receiver.received
    ]
    (payload,) = [body for body in sent if body["type"] == event]
    documented = EXAMPLES[event]
    assert documented["type"] == event
    assert shape(payload) == shape(documented)
