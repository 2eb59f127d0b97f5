"""One of everything in a team, with the values that its API addresses take."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from django.apps import apps
from django.db import connection, transaction

from audit.models import AuditEvent
from licenses.models import IdentityWorkload
from teams.models import Membership, Team, TeamOwned
from tests.support.rows.factories import (
    ApiTokenFactory,
    CacheUseFactory,
    ChannelFactory,
    ContactFactory,
    CredentialCheckFactory,
    CustomerLinkFactory,
    DeliveryFactory,
    ExternalRegistryFactory,
    ImageTagFactory,
    InvitationFactory,
    LicenseFactory,
    LicenseFieldFactory,
    LicenseTrafficFactory,
    MembershipFactory,
    PullCredentialFactory,
    PullEventFactory,
    ServiceAccountFactory,
)
from tests.support.rows.identities import TrustedIdentityFactory


@dataclass(frozen=True)
class World:
    team: Team
    license: Any
    registry: Any
    service_account: Any
    ids: dict[str, str]


def make_world(team: Team) -> World:
    license = LicenseFactory(team=team)
    application = license.application
    channel = ChannelFactory(application=application)
    field = LicenseFieldFactory(application=application)
    credential = PullCredentialFactory(license=license)
    identity = TrustedIdentityFactory(license=license)
    IdentityWorkload.objects.create(
        team=team, identity=identity, number=2, name="prod/api"
    )
    registry = ExternalRegistryFactory(team=team)
    CredentialCheckFactory(registry=registry)
    PullEventFactory(team=team, license=license, registry=registry)
    LicenseTrafficFactory(license=license)
    CacheUseFactory(registry=registry)
    tag = ImageTagFactory(manifest__repository__application=application)
    service_account = ServiceAccountFactory(team=team)
    membership: Membership = MembershipFactory(team=team, role="support")
    invitation = InvitationFactory(team=team)
    api_token = ApiTokenFactory(team=team)
    contact = ContactFactory(customer=license.customer)
    link = CustomerLinkFactory(contact=contact)
    delivery = DeliveryFactory(webhook__team=team, state="failed")
    ids = {
        "application": str(application.pk),
        "application_slug": application.slug,
        "channel": str(channel.pk),
        "channel_id": str(channel.pk),
        "field": str(field.pk),
        "field_id": str(field.pk),
        "customer_id": str(license.customer_id),
        "contact_id": str(contact.pk),
        "link_id": str(link.pk),
        "license_id": str(license.pk),
        "credential_id": str(credential.pk),
        "identity_id": str(identity.pk),
        "kind": "kubernetes",
        "registry": str(registry.pk),
        "registry_id": str(registry.pk),
        "image_id": str(tag.repository_id),
        "tag_id": str(tag.pk),
        "manifest_id": str(tag.manifest_id),
        "service_account_id": str(service_account.pk),
        "member_id": str(membership.pk),
        "invitation_id": str(invitation.pk),
        "api_token_id": str(api_token.pk),
        "webhook_id": str(delivery.webhook_id),
        "delivery_id": str(delivery.pk),
        "alert_id": str(delivery.alert_id),
        "submission": str(uuid.uuid4()),
    }
    return World(team, license, registry, service_account, ids)


def rows_of(team: Team) -> dict[str, list[dict[str, Any]]]:
    """Return all that the database holds of a team, to compare before and after.

    By one query, as hundreds of tests ask twice. Secrets are as they are stored.
    """
    models: list[Any] = apps.get_models()
    owned = [model for model in models if issubclass(model, AuditEvent | TeamOwned)]
    rows: dict[str, list[dict[str, Any]]] = {model._meta.label: [] for model in owned}
    selects = [
        f"SELECT '{model._meta.label}', to_jsonb(owned) FROM"  # noqa: S608 -- our names
        f' "{model._meta.db_table}" owned WHERE team_id = %(team)s'
        for model in owned
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(selects), {"team": team.pk})
        for label, row in cursor.fetchall():
            rows[label].append(json.loads(row) if isinstance(row, str) else row)
    return {label: sorted(found, key=itemgetter("id")) for label, found in rows.items()}


@contextmanager
def rolled_back() -> Iterator[None]:
    """Undo what the block does to the database, so that many cases share one world."""
    before = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(before)
