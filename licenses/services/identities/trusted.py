"""Adding, changing and removing trusted identities, by vendors and customers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from licenses.credential_alerts import tell_identity_added, tell_identity_removed
from licenses.identities.key_sets import KeySetInvalid, parse_key_set
from licenses.identities.rules import (
    IdentityKind,
    Rules,
    anchor_of,
    check_issuer,
    check_rules,
)
from licenses.models import IssuerKeys, License, TrustedIdentity
from licenses.services.customers import require_unarchived
from portal.database.uniqueness import save_valid
from portal.errors import Conflict, Invalid, TooMany
from teams.actors import Actor
from teams.permissions import Permission
from teams.services import apply_changes

MAX_IDENTITIES = 20
# Of one license. Each is a row for good, with events.
MAX_NEW_PER_HOUR = 100
# Audiences whose tokens open a cluster's API or a cloud account.
_OTHERS_AUDIENCES = (
    "kubernetes.default.svc",
    "sts.amazonaws.com",
    "api://azureadtokenexchange",
    "iam.googleapis.com",
)
_REMOVED = ("removed_at", "removed_by", "removed_by_kind", "removed_by_label")


def default_audience() -> str:
    """Return whom tokens should be for: this installation, and no other service."""
    return str(settings.BERTH_PROXY_HOST or settings.BERTH_PROXY_SERVICE)


@transaction.atomic
def trust_identity(
    *,
    actor: Actor,
    license: License,
    label: str,
    kind: IdentityKind,
    issuer: str,
    rules: Rules,
    audience: str = "",
    key_set: str = "",
) -> TrustedIdentity:
    """Let workload tokens pull with a license that come from an issuer and meet rules.

    Without ``key_set``, the issuer's published keys must have been read before: see
    ``read_issuer_for``.

    Raises:
        Invalid, ValidationError: values are invalid, or the keys were not read.
        Conflict: the customer is archived, or there are 20.
        TooMany: the license got too many new ones.
    """
    _require(actor, license)
    _lock(license)
    require_unarchived(license.customer)
    _require_few(license)
    check_identity(kind, issuer, rules, audience)
    identity = TrustedIdentity(
        team_id=license.team_id,
        license=license,
        label=label.strip(),
        kind=kind.value,
        issuer=issuer,
        audience=audience or default_audience(),
        rules=dict(rules),
        anchor=anchor_of(kind, issuer, rules),
        created_by_id=actor.person_id,
        created_by_kind=actor.kind,
        created_by_label=actor.label[:254],
        **_key_columns(issuer, key_set),
    )
    save_valid(identity)
    _record(actor, EventTag.TRUSTED_IDENTITY_ADDED, identity)
    tell_identity_added(actor, identity)
    return identity


def check_identity(
    kind: IdentityKind, issuer: str, rules: Rules, audience: str
) -> None:
    """Check what nobody may trust; raises Invalid with what to write instead."""
    problems: dict[str, list[str]] = {}
    try:
        check_issuer(kind, issuer)
    except ValueError as error:
        problems["issuer"] = [str(error)]
    try:
        check_rules(kind, issuer, rules)
    except ValueError as error:
        problems["rules"] = [str(error)]
    if _opens_something_else(audience, issuer):
        message = (
            "Tokens for the issuer itself, such as a cluster's API, or for a cloud's "
            "login must not be sent to others. Choose an audience like "
            f"{default_audience()}."
        )
        problems["audience"] = [message]
    if problems:
        raise Invalid(problems)


def _opens_something_else(audience: str, issuer: str) -> bool:
    return audience.rstrip("/") == issuer.rstrip("/") or (
        audience.lower().removeprefix("https://").startswith(_OTHERS_AUDIENCES)
    )


@transaction.atomic
def change_trusted_identity(
    *, actor: Actor, identity: TrustedIdentity, changes: Mapping[str, object]
) -> TrustedIdentity:
    """Change ``label`` or ``key_set``; an empty key set means the published keys.

    What is trusted never changes: another identity is added for that.

    Raises:
        Conflict: it was removed.
        Invalid, ValidationError: values are invalid.
    """
    _require(actor, identity.license)
    identity = _current(identity)
    values = dict(changes)
    if "key_set" in values:
        values |= _key_columns(identity.issuer, str(values["key_set"]))
    changed = apply_changes(identity, values)
    if changed:
        _record(actor, EventTag.TRUSTED_IDENTITY_CHANGED, identity, changed=changed)
    return identity


@transaction.atomic
def remove_trusted_identity(
    *, actor: Actor, identity: TrustedIdentity
) -> TrustedIdentity:
    """Stop pulls with an identity within one second, tokens already issued included.

    Removing again is a no-op.
    """
    _require(actor, identity.license)
    _lock(identity.license)
    identity = _read(identity)
    if identity.removed_at is not None:
        return identity
    identity.removed_at = timezone.now()
    identity.removed_by_id = actor.person_id
    identity.removed_by_kind = actor.kind
    identity.removed_by_label = actor.label[:254]
    identity.save(update_fields=[*_REMOVED])
    _record(actor, EventTag.TRUSTED_IDENTITY_REMOVED, identity)
    tell_identity_removed(actor, identity)
    return identity


def _key_columns(issuer: str, key_set: str) -> dict[str, object]:
    """Return the columns of an uploaded key set, or of published keys."""
    if not key_set.strip():
        if not IssuerKeys.objects.filter(pk=issuer).exclude(key_set="").exists():
            raise Invalid({"issuer": ["The issuer's keys were not read yet."]})
        return {"key_set": "", "kids": []}
    try:
        keys = parse_key_set(key_set.strip())
    except KeySetInvalid as error:
        raise Invalid({"key_set": [str(error)]}) from error
    return {"key_set": key_set.strip(), "kids": sorted(keys)}


def _require(actor: Actor, license: License) -> None:
    actor.require(
        Permission.CREDENTIAL_MANAGE,
        team_id=license.team_id,
        customer_id=license.customer_id,
        license_id=license.pk,
    )


def _lock(license: License) -> None:
    """Let changes of one license's identities apply in turn."""
    licenses = License.objects.for_team(license.team_id).filter(pk=license.pk)
    list(licenses.select_for_update(no_key=True).values_list("pk"))


def _require_few(license: License) -> None:
    rows = TrustedIdentity.objects.for_team(license.team_id).filter(license=license)
    if rows.filter(removed_at=None).count() >= MAX_IDENTITIES:
        raise Conflict(
            "too_many_trusted_identities",
            f"A license has at most {MAX_IDENTITIES} trusted identities. Remove one "
            "first.",
        )
    recent = rows.filter(created_at__gt=timezone.now() - timedelta(hours=1))
    if recent.count() >= MAX_NEW_PER_HOUR:
        raise TooMany(
            "too_many_new_identities",
            f"A license gets at most {MAX_NEW_PER_HOUR} new trusted identities within "
            "an hour. Try again in an hour.",
            3600,
        )


def _current(identity: TrustedIdentity) -> TrustedIdentity:
    """Return the row as it is now, locked; raises Conflict if it was removed."""
    _lock(identity.license)
    row = _read(identity)
    if row.removed_at is not None:
        raise Conflict(
            "identity_removed", "This trusted identity was removed. Add another one."
        )
    return row


def _read(identity: TrustedIdentity) -> TrustedIdentity:
    rows = TrustedIdentity.objects.for_team(identity.team_id)
    related = ("license__customer", "license__application", "license__channel")
    return rows.select_related(*related).get(pk=identity.pk)


def _record(
    actor: Actor, tag: EventTag, identity: TrustedIdentity, **data: object
) -> None:
    record(
        actor,
        tag,
        identity,
        license=str(identity.license_id),
        issuer=identity.issuer,
        audience=identity.audience,
        rules=identity.rules,
        keys=identity.kids or "published",
        **data,
    )
