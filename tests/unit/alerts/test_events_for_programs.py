"""Events for programs: webhooks get them, and people do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.core import mail
from django.db import transaction

from alerts.dispatch import dispatch_alerts
from alerts.events import CHOOSABLE, Event
from alerts.models import Alert, Delivery, Subscription, Webhook
from alerts.selectors import alerts_for_team
from alerts.services import create_webhook, disable_webhook, subscribe
from licenses.services import (
    change_customer,
    change_license,
    change_license_field,
    create_license_field,
    reinstate_license,
    revoke_license,
)
from portal.crypto.secrets import Secret
from portal.errors import Invalid
from teams.actors import Actor
from teams.models import Membership, Team
from tests.support.rows.alerting import alert, deliver
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.receiver import Receiver


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


def listen(vendor: Vendor, *events: Event) -> Webhook:
    webhook, _ = create_webhook(
        actor=vendor.actor,
        team=vendor.team,
        name="Automation",
        url="https://hooks.example.com/berth",
        events=[event.value for event in events or CHOOSABLE],
    )
    return webhook


def raised(vendor: Vendor) -> list[str]:
    alerts = Alert.objects.for_team(vendor.team.pk).order_by("created_at")
    return [alert.event for alert in alerts]


def data_of(event: Event) -> Mapping[str, Any]:
    data: Mapping[str, Any] = (
        Alert.objects.filter(event=event).latest("created_at").data
    )
    return data


def test_webhooks_get_them_and_members_do_not(
    team: Team,
    owner: Membership,
    webhook: tuple[Webhook, Secret],
    receiver: Receiver,
) -> None:
    Webhook.objects.update(events=[Event.LICENSE_ISSUED, Event.LICENSE_REVOKED])
    alert(team, key="1", event=Event.LICENSE_ISSUED)
    alert(team, key="2", event=Event.LICENSE_REVOKED)

    deliver()

    assert len(receiver.received) == 2
    assert [str(message.subject) for message in mail.outbox] == [
        "A license was revoked: Acme"
    ]
    assert [alert.event for alert in alerts_for_team(team.pk)] == ["license.revoked"]


def test_members_cannot_choose_them(
    actor: Actor, owner: Membership, team: Team
) -> None:
    with pytest.raises(Invalid) as caught:
        subscribe(actor=actor, membership=owner, events=["license.issued"])

    assert caught.value.fields == {"events": ["Only webhooks get 'license.issued'."]}
    assert not Subscription.objects.exists()


def test_nothing_is_stored_that_no_webhook_gets(vendor: Vendor) -> None:
    vendor.license()
    off = listen(vendor, Event.LICENSE_ISSUED)
    disable_webhook(actor=vendor.actor, webhook=off, reason="Off")
    vendor.license()

    assert raised(vendor) == []


def test_another_teams_webhook_gets_nothing(vendor: Vendor) -> None:
    listen(create_vendor(), Event.LICENSE_ISSUED)
    vendor.license()
    dispatch_alerts()

    assert raised(vendor) == []
    assert not Delivery.objects.exists()


def test_a_change_that_is_rolled_back_raises_nothing(vendor: Vendor) -> None:
    listen(vendor)
    with transaction.atomic():
        vendor.license()
        transaction.set_rollback(True)

    assert raised(vendor) == []


def test_only_what_changes_something_raises_an_event(vendor: Vendor) -> None:
    license = vendor.license()
    listen(vendor)
    actor = vendor.actor

    change_license(actor=actor, license=license, changes={"type": "paid"})
    reinstate_license(actor=actor, license=license)
    change_customer(
        actor=actor, customer=vendor.customer, changes={"name": vendor.customer.name}
    )
    assert raised(vendor) == []

    change_license(actor=actor, license=license, changes={"type": "dev"})
    change_license(actor=actor, license=license, changes={"type": "paid"})
    revoke_license(actor=actor, license=license, reason="Not paid")
    reinstate_license(actor=actor, license=license)
    assert raised(vendor) == [
        *("license.changed", "license.changed", "license.revoked"),
        "license.reinstated",
    ]


def test_a_change_names_the_fields_and_never_their_values(vendor: Vendor) -> None:
    for name, type in (("seats", "Integer"), ("admin", "Password"), ("b", "String")):
        create_license_field(
            actor=vendor.actor,
            application=vendor.application,
            values={"name": name, "title": name, "type": type},
        )
    license = vendor.license()
    listen(vendor)

    values = {"seats": 5, "admin": "hunter2-hunter2", "b": "blue-sky"}
    change_license(
        actor=vendor.actor, license=license, changes={"field_values": values}
    )
    first = data_of(Event.LICENSE_CHANGED)
    change_license(
        actor=vendor.actor,
        license=license,
        changes={"field_values": values | {"admin": "hunter3-hunter3"}},
    )
    second = data_of(Event.LICENSE_CHANGED)

    assert first["changed"] == second["changed"] == ["field_values"]
    assert first["changed_fields"] == ["admin", "b", "seats"]
    assert second["changed_fields"] == ["admin"]
    told = str(list(Alert.objects.values()))
    for value in ("hunter", "blue-sky", license.license_id.reveal()):
        assert value not in told


def test_what_changes_for_all_licenses_is_not_told_of_each(vendor: Vendor) -> None:
    field = create_license_field(
        actor=vendor.actor,
        application=vendor.application,
        values={"name": "seats", "title": "Seats", "type": "Integer"},
    )
    vendor.license()
    listen(vendor)

    change_license_field(actor=vendor.actor, field=field, changes={"default": 5})
    change_customer(
        actor=vendor.actor, customer=vendor.customer, changes={"name": "Initrode"}
    )

    assert raised(vendor) == ["customer.changed"]
    assert data_of(Event.CUSTOMER_CHANGED)["changed"] == ["name"]
