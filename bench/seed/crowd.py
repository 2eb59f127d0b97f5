"""One team with many customers, licenses, credentials and contacts, for its pages."""

from __future__ import annotations

import random
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from bench.seed.bulk import copy_rows, foreign_keys_checked_at_once
from bench.seed.crowd_log import seed_log
from bench.seed.crowd_pulls import seed_pulls
from bench.seed.license_rows import COLUMNS, Holder, license_rows
from customers.models import Contact
from licenses.models import Channel, Customer, License, PullCredential
from teams.models import Team

_FIRST = ("Acme", "Borealis", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor")
_LAST = ("Analytics", "Bank", "Clinics", "Dynamics", "Energy", "Foods", "Group", "Labs")
_CUSTOMER_COLUMNS = (
    *("id", "team_id", "created_at", "updated_at"),
    *("name", "email", "custom_id"),
)
_ARCHIVE = """
UPDATE licenses_customer SET archived_at = now()
WHERE team_id = %s AND archived_at IS NULL AND custom_id LIKE 'crm-%%77'
"""
# Half of the licenses have one.
_CREDENTIALS = """
INSERT INTO licenses_pullcredential (
    id, team_id, created_at, updated_at, license_id, name, key, digest, networks,
    created_by_kind, created_by_label, revoked_by_kind, revoked_by_label, was_leaked,
    last_used_client
)
SELECT gen_random_uuid(), team_id, created_at, created_at, id,
       (ARRAY['Production cluster', 'Staging cluster', 'CI', 'Laptop'])
           [1 + floor(random() * 4)],
       left(md5(id::text || %(salt)s), 16), 'none:' || id, '{}', 'user',
       'owner@bench.example', '', '', false, ''
FROM licenses_license
WHERE team_id = %(team)s AND id <> %(heavy)s AND random() < 0.5
ON CONFLICT DO NOTHING
"""
_CONTACTS = """
INSERT INTO customers_contact (
    id, team_id, created_at, updated_at, customer_id, email, name, role, invited_by
)
SELECT gen_random_uuid(), team_id, created_at, created_at, id, email, '',
       'administrator', 'owner@bench.example'
FROM licenses_customer WHERE team_id = %(team)s AND custom_id LIKE 'crm-%%'
"""


@transaction.atomic
def seed_crowd(team: Team, heavy: License, *, customers: int, pulls: int) -> None:
    """Give a team customers with a license each, and what a year leaves of them.

    There are 13 months of counted pulls, two in a hundred of them with the license
    ``heavy`` in the last 30 days. The team has applications, each with channels, and
    registries.
    """
    channels = list(Channel.objects.for_team(team.pk).filter(is_default=True))
    ids = [uuid.uuid4() for _ in range(customers)]
    created_at = _over_two_years(customers)
    copy_rows(Customer, _CUSTOMER_COLUMNS, _customer_rows(team, ids, created_at))
    holders = list(_holders(channels, ids))
    rows = license_rows(holders, customers, _field_values, created_at)
    copy_rows(License, COLUMNS, rows)
    with connection.cursor() as cursor:
        cursor.execute(_ARCHIVE, [team.pk])
        values: dict[str, Any] = {
            "team": team.pk,
            "heavy": heavy.pk,
            "salt": secrets.token_hex(8),
        }
        for model, statement in ((PullCredential, _CREDENTIALS), (Contact, _CONTACTS)):
            with foreign_keys_checked_at_once(model):
                cursor.execute(statement, values)
    seed_pulls(team, heavy, pulls)
    seed_log(team)


def _over_two_years(rows: int) -> Callable[[int], str]:
    """Return when each of some rows was made, one after the other, as in real life."""
    now = timezone.now() - timedelta(minutes=1)
    return lambda number: str(now - timedelta(days=730) * (1 - number / rows))


def _customer_rows(
    team: Team, ids: Sequence[uuid.UUID], created_at: Callable[[int], str]
) -> Iterator[str]:
    for number, pk in enumerate(ids):
        at = created_at(number)
        first = random.choice(_FIRST)
        name = f"{first} {random.choice(_LAST)} {number}"
        email = f"it{number}@{first.lower()}.example"
        yield f"{pk}\t{team.pk}\t{at}\t{at}\t{name}\t{email}\tcrm-{number}\n"


def _holders(channels: Sequence[Channel], ids: Sequence[uuid.UUID]) -> Iterator[Holder]:
    for number, pk in enumerate(ids):
        channel = channels[number % len(channels)]
        yield Holder(channel.team_id, pk, channel.application_id, channel.pk)


def _field_values(number: int) -> str:
    return f'{{"seats": {number % 500}, "order_number": "SO-{number}"}}'
