"""Pull credentials: made, changed, rotated and revoked by vendors and customers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from licenses.credential_alerts import (
    tell_credential_created,
    tell_credential_revoked,
    tell_credential_rotated,
)
from licenses.models import (
    License,
    PullCredential,
    PullCredentialQuerySet,
)
from licenses.pull_credential import PURPOSE, generate_pull_credential
from licenses.selectors import secret_before
from licenses.services.credential_terms import (
    canonical,
    end_of_old_secret,
    expiry_within,
    in_future,
    networks_within,
)
from licenses.services.credential_use import inherit_networks
from licenses.services.customers import require_unarchived
from portal.crypto.fields import lookup_keyring
from portal.crypto.secrets import Secret
from portal.database.uniqueness import save_valid, validate_values
from portal.errors import Conflict, TooMany
from teams.actors import Actor
from teams.permissions import Permission
from teams.services import apply_changes

MAX_PULL_CREDENTIALS = 20
# Of one license. Each is a row for good, with events, and may be reported as leaked.
MAX_NEW_PER_HOUR = 100
_REVOKED = ("revoked_at", "revoked_by", "revoked_by_kind", "revoked_by_label")


@transaction.atomic
def create_pull_credential(
    *,
    actor: Actor,
    license: License,
    name: str,
    expires_at: datetime | None = None,
    networks: Collection[str] = (),
    created_with: PullCredential | None = None,
) -> tuple[PullCredential, Secret]:
    """Create a credential; return it with its text, which is not stored.

    One that is created with another does not outlive it, and has its networks.

    Raises:
        Conflict: the customer is archived, the other one revoked, or there are 20.
        TooMany: the license got too many new secrets.
    """
    _require(actor, license)
    _lock(license)
    require_unarchived(license.customer)
    if created_with is not None:
        # It may have been revoked since its holder signed in, with all that it made.
        created_with = _unrevoked(created_with)
        expires_at = expiry_within(created_with, expires_at)
        networks = networks_within(created_with, networks)
    current = PullCredential.objects.for_team(license.team_id).current()
    if current.filter(license=license).count() >= MAX_PULL_CREDENTIALS:
        raise Conflict(
            "too_many_pull_credentials",
            f"A license has at most {MAX_PULL_CREDENTIALS} pull credentials. Revoke "
            "one first.",
        )
    credential, secret = _generated(
        actor,
        PullCredential(
            team_id=license.team_id,
            license=license,
            name=name.strip(),
            expires_at=in_future(expires_at),
            networks=canonical(networks),
            created_with=created_with,
        ),
    )
    _record(actor, EventTag.PULL_CREDENTIAL_CREATED, credential)
    tell_credential_created(actor, credential)
    return credential, secret


def draft_pull_credential(
    *,
    actor: Actor,
    license: License,
    name: str,
    expires_at: datetime | None = None,
    networks: Collection[str] = (),
) -> tuple[PullCredential, Secret]:
    """Return the first credential of a license that is a draft too, without saving it.

    Raises:
        Invalid, ValidationError: values are invalid.
    """
    _require(actor, license)
    credential = PullCredential(
        team_id=license.team_id,
        license=license,
        name=name.strip(),
        expires_at=in_future(expires_at),
        networks=canonical(networks),
    )
    secret = _given_secret(actor, credential)
    validate_values(credential)
    return credential, secret


@transaction.atomic
def rotate_pull_credential(
    *,
    actor: Actor,
    credential: PullCredential,
    old_ends_at: datetime | None = None,
    created_with: PullCredential | None = None,
) -> tuple[PullCredential, Secret]:
    """Make another secret of the same name, networks and lifetime.

    The old one stays valid for 7 days, or until ``old_ends_at``: at most 90 days, or
    ends at once if that is not in the future.

    Raises:
        Conflict: it is revoked or replaced, or the secret before it is still valid.
        TooMany: the license got too many new secrets.
    """
    _require(actor, credential.license)
    old = _current(credential)
    now = timezone.now()
    if secret_before(old) is not None:
        raise Conflict(
            "previous_secret_valid",
            "The secret before this one is still valid. Revoke it, or wait until it "
            "ends.",
        )
    ends_at = end_of_old_secret(old_ends_at, now)
    new = _successor(old, now, created_with)
    # First, so that the name is free. The foreign key is checked at the end.
    old.replaced_by_id = new.pk
    old.expires_at = min(ends_at, old.expires_at or ends_at)
    old.save(update_fields=["replaced_by", "expires_at"])
    new, secret = _generated(actor, new)
    inherit_networks(new, old)
    _record(
        actor,
        EventTag.PULL_CREDENTIAL_ROTATED,
        new,
        old_key=old.key,
        old_ends_at=old.expires_at.isoformat(),
    )
    tell_credential_rotated(actor, new, old)
    return new, secret


def _successor(
    old: PullCredential, now: datetime, created_with: PullCredential | None
) -> PullCredential:
    lasts = old.expires_at - old.created_at if old.expires_at else None
    return PullCredential(
        team_id=old.team_id,
        license=old.license,
        name=old.name,
        expires_at=now + lasts if lasts else None,
        networks=old.networks,
        created_with=created_with,
    )


@transaction.atomic
def change_pull_credential(
    *, actor: Actor, credential: PullCredential, changes: Mapping[str, object]
) -> PullCredential:
    """Change name, networks or expiry, in effect within one second.

    The secret before it gets the same name and networks, and ends no later.

    Raises:
        Conflict: it is revoked or replaced.
    """
    _require(actor, credential.license)
    credential = _current(credential)
    changes = dict(changes)
    if "networks" in changes:
        networks = changes["networks"]
        assert isinstance(networks, Collection)  # noqa: S101 -- typing
        changes["networks"] = canonical(networks)
    expires_at = changes.get("expires_at", credential.expires_at)
    assert expires_at is None or isinstance(expires_at, datetime)  # noqa: S101 -- typing
    if expires_at != credential.expires_at:
        in_future(expires_at)
    changed = apply_changes(credential, changes)
    if changed:
        before = _with_predecessor(credential).exclude(pk=credential.pk)
        before.update(name=credential.name, networks=credential.networks)
        if expires_at is not None:
            before.filter(expires_at__gt=expires_at).update(expires_at=expires_at)
        _record(actor, EventTag.PULL_CREDENTIAL_CHANGED, credential, changed=changed)
    return credential


@transaction.atomic
def revoke_pull_credential(
    *, actor: Actor, credential: PullCredential
) -> PullCredential:
    """Stop pulls with a secret, and the one before it, within one second.

    So are those created with it, but not its successor. The license's other credentials
    and its ID go on. Revoking again is a no-op.
    """
    _require(actor, credential.license)
    _stop(actor, credential)
    credential.refresh_from_db()
    return credential


@transaction.atomic
def stop_leaked_credential(
    *, actor: Actor, credential: PullCredential
) -> list[PullCredential]:
    """Revoke a secret and all that was made with it, its successor too.

    Returns what was left to revoke.
    """
    _require(actor, credential.license)
    stopped = _stop(actor, credential, is_leaked=True)
    if stopped:
        found = PullCredential.objects.for_team(credential.team_id)
        found.filter(pk=credential.pk).update(was_leaked=True)
    return stopped


def _stop(
    actor: Actor, credential: PullCredential, *, is_leaked: bool = False
) -> list[PullCredential]:
    _lock(credential.license)
    stopped = _stopped_with(credential, is_leaked=is_leaked)
    for row in stopped:
        row.revoked_at = timezone.now()
        row.revoked_by_id = actor.person_id
        row.revoked_by_kind = actor.kind
        row.revoked_by_label = actor.label[:254]
        row.save(update_fields=[*_REVOKED])
        _record(actor, EventTag.PULL_CREDENTIAL_REVOKED, row)
        tell_credential_revoked(actor, row)
    return stopped


def _generated(
    actor: Actor, credential: PullCredential
) -> tuple[PullCredential, Secret]:
    """Give a new row its secret, and store it; the license is locked.

    Raises:
        TooMany: the license got too many new secrets.
    """
    _require_few(credential.license)
    secret = _given_secret(actor, credential)
    save_valid(credential)
    return credential, secret


def _given_secret(actor: Actor, credential: PullCredential) -> Secret:
    new = generate_pull_credential()
    credential.key = new.key
    credential.digest = lookup_keyring().digest(new.text.reveal(), purpose=PURPOSE)
    credential.created_by_id = actor.person_id
    credential.created_by_kind = actor.kind
    credential.created_by_label = actor.label[:254]
    return new.text


def _require_few(license: License) -> None:
    recent = PullCredential.objects.for_team(license.team_id).filter(
        license=license, created_at__gt=timezone.now() - timedelta(hours=1)
    )
    if recent.count() >= MAX_NEW_PER_HOUR:
        raise TooMany(
            "too_many_new_secrets",
            f"A license gets at most {MAX_NEW_PER_HOUR} new pull credentials and "
            "rotations within an hour. Try again in an hour.",
            3600,
        )


def _require(actor: Actor, license: License) -> None:
    actor.require(
        Permission.CREDENTIAL_MANAGE,
        team_id=license.team_id,
        customer_id=license.customer_id,
        license_id=license.pk,
    )


def _lock(license: License) -> None:
    """Let changes of one license's credentials apply in turn."""
    licenses = License.objects.for_team(license.team_id).filter(pk=license.pk)
    list(licenses.select_for_update(no_key=True).values_list("pk"))


def _current(credential: PullCredential) -> PullCredential:
    """Return the row as it is now, locked; raises Conflict if it is not current."""
    row = _unrevoked(credential)
    if row.replaced_by_id is not None:
        raise Conflict(
            "credential_replaced",
            "This secret has been replaced. Do this with the current one.",
        )
    return row


def _unrevoked(credential: PullCredential) -> PullCredential:
    """Return the row as it is now, locked; raises Conflict if it is revoked."""
    _lock(credential.license)
    rows = PullCredential.objects.for_team(credential.team_id)
    row = rows.select_related("license__customer", "license__application").get(
        pk=credential.pk
    )
    if row.revoked_at is not None:
        raise Conflict(
            "credential_revoked",
            "This pull credential is revoked. Create another one.",
        )
    return row


def _with_predecessor(credential: PullCredential) -> PullCredentialQuerySet:
    # No more than one: a rotation waits until the secret before is not valid.
    rows: PullCredentialQuerySet = PullCredential.objects.for_team(credential.team_id)
    return rows.filter(Q(pk=credential.pk) | Q(replaced_by=credential))


def _stopped_with(
    credential: PullCredential, *, is_leaked: bool
) -> list[PullCredential]:
    """Return what is not yet revoked of a secret, and of those created with it.

    Unless it is leaked, its own successor goes on: its owner may have made that. What
    it made does not, however often its holder has renewed that.
    """
    rows: PullCredentialQuerySet = PullCredential.objects.for_team(credential.team_id)
    found = {row.pk: row for row in _with_predecessor(credential)}
    latest = list(found)
    while latest:
        made = rows.filter(created_with__in=latest).exclude(pk__in=list(found))
        if not is_leaked:
            made = made.exclude(replaces=credential)
        latest = [row.pk for row in made]
        found |= {row.pk: row for row in made}
    return [row for row in found.values() if row.revoked_at is None]


def _record(
    actor: Actor, tag: EventTag, credential: PullCredential, **data: object
) -> None:
    record(actor, tag, credential, **audited_credential(credential), **data)


def audited_credential(credential: PullCredential) -> dict[str, object]:
    """Return what the audit events of a credential tell."""
    expires_at = credential.expires_at
    return {
        "license": str(credential.license_id),
        "key": credential.key,
        "expires_at": expires_at.isoformat() if expires_at else None,
        "networks": credential.networks,
    }
