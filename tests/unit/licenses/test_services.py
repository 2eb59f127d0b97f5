from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from licenses import services
from licenses.models import License, LicenseField, LicenseState
from licenses.selectors import license_by_secret
from portal.crypto.secrets import Secret
from portal.errors import Conflict, Invalid, NotAllowed
from teams.actors import Actor, member_actor, system_actor
from teams.models import Membership, Team
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    CustomerFactory,
    LicenseFactory,
    LicenseFieldFactory,
)


def test_issue_license_can_be_found_by_its_id_only(actor: Actor, team: Team) -> None:
    license = services.issue_license(
        actor=actor,
        customer=CustomerFactory(team=team),
        application=ApplicationFactory(team=team),
        type="paid",
    )
    stored = License.objects.get()
    secret = stored.license_id.reveal()

    assert license.sequence == 1
    assert license_by_secret(Secret(secret)) == stored
    assert license_by_secret(Secret(secret.swapcase())) is None
    assert secret not in str(License.objects.values().get())


def test_issue_license_across_teams_is_refused(
    actor: Actor, team: Team, other_team: Team
) -> None:
    with pytest.raises(Invalid):
        services.issue_license(
            actor=actor,
            customer=CustomerFactory(team=team),
            application=ApplicationFactory(team=other_team),
            type="paid",
        )


def test_issue_license_needs_required_values(actor: Actor, team: Team) -> None:
    application = ApplicationFactory(team=team)
    LicenseFieldFactory(application=application, name="seats", required=True)
    customer = CustomerFactory(team=team)

    with pytest.raises(Invalid) as caught:
        services.issue_license(
            actor=actor, customer=customer, application=application, type="paid"
        )

    assert caught.value.fields == {"field_values": ["seats needs a value."]}


def test_services_refuse_actors_of_another_team(
    team: Team, outsider: Membership
) -> None:
    stranger = member_actor(outsider)
    license = LicenseFactory(team=team)
    field = LicenseFieldFactory(application=license.application)
    customer, application = license.customer, license.application
    calls = [
        lambda: services.create_customer(actor=stranger, team=team, name="x"),
        lambda: services.change_customer(actor=stranger, customer=customer, changes={}),
        lambda: services.archive_customer(actor=stranger, customer=customer),
        lambda: services.restore_customer(actor=stranger, customer=customer),
        lambda: services.create_license_field(
            actor=stranger, application=application, values={}
        ),
        lambda: services.change_license_field(actor=stranger, field=field, changes={}),
        lambda: services.delete_license_field(actor=stranger, field=field),
        lambda: services.issue_license(
            actor=stranger, customer=customer, application=application, type="paid"
        ),
        lambda: services.change_license(actor=stranger, license=license, changes={}),
        lambda: services.revoke_license(actor=stranger, license=license, reason="x"),
        lambda: services.reinstate_license(actor=stranger, license=license),
        lambda: services.download_license_file(actor=stranger, license=license),
    ]
    for call in calls:
        with pytest.raises(NotAllowed):
            call()
    assert audited(team) == []


def test_revoke_license_by_berth_itself_names_no_user(team: Team) -> None:
    license = LicenseFactory(team=team)

    revoked = services.revoke_license(
        actor=system_actor(team), license=license, reason=" unpaid "
    )

    assert revoked.revoked_by is None
    assert revoked.revoke_reason == "unpaid"
    assert revoked.state() is LicenseState.REVOKED


def test_archived_customer_gets_no_license(actor: Actor, team: Team) -> None:
    customer = CustomerFactory(team=team, archived_at=timezone.now())

    with pytest.raises(Conflict):
        services.issue_license(
            actor=actor,
            customer=customer,
            application=ApplicationFactory(team=team),
            type="paid",
        )


def test_change_license_to_the_same_keeps_the_sequence(
    actor: Actor, team: Team
) -> None:
    license = LicenseFactory(team=team)

    services.change_license(
        actor=actor, license=license, changes={"type": "paid", "channel": None}
    )

    license.refresh_from_db()
    assert license.sequence == 1
    assert audited(team) == []


def test_license_state_at_the_very_instant_of_expiry(team: Team) -> None:
    now = timezone.now()
    license = LicenseFactory(team=team, expires_at=now)

    assert license.state(now) is LicenseState.EXPIRED
    assert license.state(now - timedelta(microseconds=1)) is LicenseState.ACTIVE
    assert not License.objects.active(now).exists()
    assert License.objects.expired(now).get() == license


@pytest.mark.parametrize("name", ["expires_at", "EXPIRES_AT"])
def test_no_field_takes_the_name_of_the_expiry(
    actor: Actor, team: Team, name: str
) -> None:
    application = ApplicationFactory(team=team)
    values = {"name": name, "title": "Until", "type": "String"}

    with pytest.raises(ValidationError) as caught:
        services.create_license_field(
            actor=actor, application=application, values=values
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        LicenseFieldFactory(application=application, name=name)

    assert list(caught.value.message_dict) == ["name"]
    assert not LicenseField.objects.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"revoke_reason": "unpaid"},
        {"revoked_at": timezone.now()},
        {"type": "eternal"},
        {"type": "community", "expires_at": timezone.now()},
    ],
)
def test_database_refuses_impossible_licenses(
    values: dict[str, object], team: Team
) -> None:
    license = LicenseFactory(team=team)

    with pytest.raises(IntegrityError), transaction.atomic():
        License.objects.filter(pk=license.pk).update(**values)
