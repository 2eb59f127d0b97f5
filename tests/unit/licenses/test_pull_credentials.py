from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import AuditEvent
from licenses import services
from licenses.models import CredentialState, License, PullCredential
from licenses.pull_credential import generate_pull_credential
from licenses.selectors import (
    license_by_secret,
    licenses_with_id,
    pull_credential_by_secret,
    pull_credentials_of_license,
)
from portal.crypto.secrets import Secret
from portal.errors import Conflict, Invalid, NotAllowed, Taken, TooMany
from teams.actors import Actor, ActorKind, customer_actor, member_actor
from teams.models import Membership, Team
from teams.permissions import Role
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    LicenseFactory,
    MembershipFactory,
    PullCredentialFactory,
)


@pytest.fixture
def license(team: Team) -> License:
    return LicenseFactory(team=team)


def soon(**length: float) -> datetime:
    return timezone.now() + timedelta(**length)


def created(actor: Actor, license: License, **fields: object) -> PullCredential:
    credential, _ = services.create_pull_credential(
        actor=actor,
        license=license,
        name="cluster",
        **fields,  # type: ignore[arg-type]  # the fields of each test
    )
    return credential


def test_a_credential_is_found_by_its_text_only_and_its_secret_is_not_stored(
    actor: Actor, license: License
) -> None:
    credential, secret = services.create_pull_credential(
        actor=actor, license=license, name=" cluster ", networks=["10.0.0.0/8"]
    )

    text = secret.reveal()
    assert pull_credential_by_secret(secret) == credential
    assert pull_credential_by_secret(Secret(text[:-1])) is None
    assert pull_credential_by_secret(generate_pull_credential().text) is None
    assert licenses_with_id(license.team_id, secret).get() == license
    assert (credential.name, credential.created_by_label) == ("cluster", actor.label)
    assert credential.state() is CredentialState.ACTIVE
    stored = str(PullCredential.objects.values().get())
    seen = stored + str(list(AuditEvent.objects.values()))
    assert text not in seen
    assert text.rpartition("_")[2] not in seen
    assert audited(license.team) == [("pull-credential:created", "cluster")]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"networks": ["10.0.0.1/8"]}, "networks"),
        ({"networks": ["somewhere"]}, "networks"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=timezone.get_current_timezone())},
         "expires_at"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(
    actor: Actor, license: License, fields: dict[str, object], named: str
) -> None:
    with pytest.raises(Invalid) as caught:
        created(actor, license, **fields)

    assert list(caught.value.fields) == [named]
    assert not PullCredential.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "x" * 101])
def test_names_are_printable_and_not_empty(
    actor: Actor, license: License, name: str
) -> None:
    with pytest.raises(ValidationError):
        services.create_pull_credential(actor=actor, license=license, name=name)


def test_the_name_of_a_current_credential_is_taken(
    actor: Actor, license: License
) -> None:
    first = created(actor, license)

    with pytest.raises(Taken, match="rotate that one") as refused:
        created(actor, license)
    assert refused.value.existing == first.pk
    with pytest.raises(IntegrityError), transaction.atomic():
        PullCredentialFactory(license=license, name="cluster")
    services.revoke_pull_credential(actor=actor, credential=first)
    assert created(actor, license).name == "cluster"
    assert created(actor, LicenseFactory(team=license.team)).name == "cluster"


def test_an_archived_customer_gets_no_credential(
    actor: Actor, license: License
) -> None:
    services.archive_customer(actor=actor, customer=license.customer)

    with pytest.raises(Conflict) as refused:
        created(actor, license)

    assert refused.value.code == "customer_archived"
    assert not PullCredential.objects.exists()


def test_a_license_has_at_most_twenty_current_ones(
    actor: Actor, license: License
) -> None:
    rows = PullCredentialFactory.create_batch(20, license=license)
    PullCredentialFactory.create_batch(2, license__team=license.team)

    with pytest.raises(Conflict, match="at most 20"):
        created(actor, license)
    services.revoke_pull_credential(actor=actor, credential=rows[0])
    created(actor, license)
    services.rotate_pull_credential(actor=actor, credential=rows[1])
    assert pull_credentials_of_license(license).current().count() == 20


def test_a_license_gets_a_hundred_new_secrets_an_hour(
    actor: Actor, license: License
) -> None:
    """Each may be reported as leaked, which mails the vendor and the customer."""
    now = timezone.now()
    for minutes, number in ((1, 99), (61, 50)):
        rows = PullCredentialFactory.create_batch(
            number, license=license, revoked_at=now
        )
        PullCredential.objects.filter(pk__in=[row.pk for row in rows]).update(
            created_at=now - timedelta(minutes=minutes)
        )
    credential = created(actor, license)

    with pytest.raises(TooMany, match="within an hour"):
        services.rotate_pull_credential(actor=actor, credential=credential)
    with pytest.raises(TooMany):
        services.create_pull_credential(actor=actor, license=license, name="b")

    credential.refresh_from_db()
    assert credential.state() is CredentialState.ACTIVE
    assert PullCredential.objects.count() == 150
    assert created(actor, LicenseFactory(team=license.team)).name == "cluster"


def test_rotating_keeps_name_networks_and_lifetime(
    actor: Actor, license: License
) -> None:
    old = created(actor, license, networks=["192.0.2.0/24"], expires_at=soon(days=30))

    new, secret = services.rotate_pull_credential(actor=actor, credential=old)

    old.refresh_from_db()
    assert (new.name, new.networks) == (old.name, ["192.0.2.0/24"])
    assert old.replaced_by == new
    assert new.expires_at is not None
    assert old.expires_at is not None
    assert abs(new.expires_at - soon(days=30)) < timedelta(minutes=1)
    assert abs(old.expires_at - soon(days=7)) < timedelta(minutes=1)
    assert old.state() is CredentialState.REPLACED
    assert old.state(old.expires_at) is CredentialState.EXPIRED
    assert pull_credential_by_secret(secret) == new


def test_a_replaced_secret_never_lives_longer_than_it_would_have(
    actor: Actor, license: License
) -> None:
    end = soon(days=2)
    old = created(actor, license, expires_at=end)

    services.rotate_pull_credential(
        actor=actor, credential=old, old_ends_at=soon(days=90)
    )

    old.refresh_from_db()
    assert old.expires_at == end


def test_a_replaced_secret_ends_at_once_if_wanted(
    actor: Actor, license: License
) -> None:
    old = created(actor, license)

    services.rotate_pull_credential(
        actor=actor, credential=old, old_ends_at=soon(days=-1)
    )

    old.refresh_from_db()
    assert old.state() is CredentialState.EXPIRED


def test_a_replaced_secret_lasts_90_days_at_most(
    actor: Actor, license: License
) -> None:
    old = created(actor, license)

    with pytest.raises(Invalid, match="invalid") as caught:
        services.rotate_pull_credential(
            actor=actor, credential=old, old_ends_at=soon(days=91)
        )

    assert list(caught.value.fields) == ["old_ends_at"]
    old.refresh_from_db()
    assert old.replaced_by is None
    assert PullCredential.objects.count() == 1


def test_only_one_secret_before_the_current_one_is_valid(
    actor: Actor, license: License
) -> None:
    first = created(actor, license)
    second, _ = services.rotate_pull_credential(actor=actor, credential=first)

    with pytest.raises(Conflict, match="still valid"):
        services.rotate_pull_credential(actor=actor, credential=second)
    with pytest.raises(Conflict, match="has been replaced"):
        services.rotate_pull_credential(actor=actor, credential=first)
    services.revoke_pull_credential(actor=actor, credential=first)
    third, _ = services.rotate_pull_credential(actor=actor, credential=second)
    assert list(pull_credentials_of_license(license).current()) == [third]


def test_revoking_stops_a_secret_and_the_one_before_it_and_no_other(
    actor: Actor, license: License
) -> None:
    other = PullCredentialFactory(license=license)
    old = created(actor, license)
    new, _ = services.rotate_pull_credential(actor=actor, credential=old)

    services.revoke_pull_credential(actor=actor, credential=new)
    services.revoke_pull_credential(actor=actor, credential=new)

    states = [row.state() for row in PullCredential.objects.order_by("created_at")]
    assert sorted(states) == ["active", "revoked", "revoked"]
    other.refresh_from_db()
    assert other.state() is CredentialState.ACTIVE
    new.refresh_from_db()
    assert (new.revoked_by_id, new.revoked_by_label) == (actor.person_id, actor.label)
    tags = [tag for tag, _ in audited(license.team)]
    assert tags.count("pull-credential:revoked") == 2
    with pytest.raises(Conflict, match="is revoked"):
        services.rotate_pull_credential(actor=actor, credential=new)


def test_revoking_a_replaced_secret_leaves_its_successor(
    actor: Actor, license: License
) -> None:
    old = created(actor, license)
    new, _ = services.rotate_pull_credential(actor=actor, credential=old)

    services.revoke_pull_credential(actor=actor, credential=old)

    new.refresh_from_db()
    assert new.state() is CredentialState.ACTIVE


def test_what_was_revoked_meanwhile_makes_nothing(
    actor: Actor, license: License
) -> None:
    """Its holder had signed in before it was revoked."""
    maker = created(actor, license)
    services.revoke_pull_credential(
        actor=actor, credential=PullCredential.objects.get(pk=maker.pk)
    )

    with pytest.raises(Conflict, match="is revoked"):
        services.create_pull_credential(
            actor=actor, license=license, name="more", created_with=maker
        )

    assert PullCredential.objects.get().pk == maker.pk


def test_a_change_also_narrows_the_secret_before(
    actor: Actor, license: License
) -> None:
    old = created(actor, license)
    new, _ = services.rotate_pull_credential(actor=actor, credential=old)
    end = soon(days=1)

    services.change_pull_credential(
        actor=actor,
        credential=new,
        changes={"name": "farm", "networks": ["10.1.0.0/16"], "expires_at": end},
    )

    for row in PullCredential.objects.all():
        assert (row.name, row.networks) == ("farm", ["10.1.0.0/16"])
        assert row.expires_at == end
    with pytest.raises(Conflict):
        services.change_pull_credential(
            actor=actor, credential=old, changes={"networks": []}
        )
    tags = [tag for tag, _ in audited(license.team)]
    assert tags.count("pull-credential:changed") == 1


def test_those_without_the_right_change_nothing(
    actor: Actor, license: License, outsider: Membership, other_team: Team
) -> None:
    credential = created(actor, license)
    developer = MembershipFactory(team=license.team, role=Role.DEVELOPER.value)
    contact = customer_actor(
        kind=ActorKind.CONTACT,
        id=uuid.uuid4(),
        label="ops@other.example",
        team_id=license.team_id,
        customer_id=LicenseFactory(team=license.team).customer_id,
    )
    before = list(PullCredential.objects.values())

    for wrong in (member_actor(outsider), member_actor(developer), contact):
        for call in (
            lambda: created(wrong, license),  # noqa: B023 -- called at once
            lambda: services.rotate_pull_credential(
                actor=wrong,  # noqa: B023
                credential=credential,
            ),
            lambda: services.revoke_pull_credential(
                actor=wrong,  # noqa: B023
                credential=credential,
            ),
            lambda: services.change_pull_credential(
                actor=wrong,  # noqa: B023
                credential=credential,
                changes={"networks": []},
            ),
            lambda: services.replace_license_id(actor=wrong, license=license),  # noqa: B023
        ):
            with pytest.raises(NotAllowed):
                call()
    assert list(PullCredential.objects.values()) == before


def test_a_contact_of_the_customer_manages_credentials_but_not_the_license_id(
    license: License,
) -> None:
    contact = customer_actor(
        kind=ActorKind.CONTACT,
        id=uuid.uuid4(),
        label="ops@customer.example",
        team_id=license.team_id,
        customer_id=license.customer_id,
    )

    credential = created(contact, license)
    services.revoke_pull_credential(actor=contact, credential=credential)

    credential.refresh_from_db()
    assert credential.created_by is None
    assert credential.revoked_by_label == "ops@customer.example"
    with pytest.raises(NotAllowed):
        services.replace_license_id(actor=contact, license=license)


def test_replacing_the_license_id_keeps_the_old_one_for_a_while(
    actor: Actor, license: License
) -> None:
    old = Secret(license.license_id.reveal())

    new = services.replace_license_id(actor=actor, license=license)

    license.refresh_from_db()
    assert license.license_id.reveal() == new.reveal() != old.reveal()
    assert (license.id_version, license.sequence) == (2, 2)
    assert license.previous_license_id_ends_at is not None
    left = license.previous_license_id_ends_at - soon(days=7)
    assert abs(left) < timedelta(minutes=1)
    assert license_by_secret(old) == license_by_secret(new) == license
    assert audited(license.team) == [("license:id-replaced", str(license))]
    seen = str(list(AuditEvent.objects.values()))
    assert new.reveal() not in seen
    third = services.replace_license_id(
        actor=actor, license=license, old_ends_at=timezone.now()
    )
    assert license_by_secret(old) is None
    assert license_by_secret(third) == license
