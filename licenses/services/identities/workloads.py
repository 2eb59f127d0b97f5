"""Who uses a trusted identity: each workload gets a number, by which pulls name it.

The first workloads of an identity are kept, each with its latest use. All others count
as one. Each process remembers what it has noted for a minute, so most logins write
nothing.
"""

from __future__ import annotations

import uuid
from threading import Lock

from cachetools import TTLCache
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from licenses.models import IdentityWorkload, TrustedIdentity
from teams.models import LAST_USED_PRECISION

# Stands for those beyond the number kept.
NO_WORKLOAD = 1
MAX_WORKLOADS = 100
_noted: TTLCache[tuple[uuid.UUID, str], int] = TTLCache(
    50_000, ttl=LAST_USED_PRECISION.total_seconds()
)
_lock = Lock()


def workload_number(
    identity: TrustedIdentity, name: str, node: str, address: str, client: str
) -> int:
    """Return the number of a workload, and note that it used the identity."""
    key = (identity.pk, name)
    with _lock:
        number = _noted.get(key)
    if number is None:
        number = _note(identity, name, node, address, client)
        with _lock:
            _noted[key] = number
    return number


@transaction.atomic
def _note(
    identity: TrustedIdentity, name: str, node: str, address: str, client: str
) -> int:
    used = {
        "last_used_at": timezone.now(),
        "last_used_address": None if address == "unknown" else address,
        "last_used_client": "".join(c for c in client if " " <= c <= "~")[:100],
        "last_used_node": node,
    }
    known = IdentityWorkload.objects.for_team(identity.team_id).filter(
        identity=identity
    )
    number = known.filter(name=name).values_list("number", flat=True).first()
    if number is not None:
        known.filter(name=name).update(**used)
        return int(number)
    # Without waiting for others: of an identity that is full, each use comes here.
    if _last(known) > MAX_WORKLOADS:
        return NO_WORKLOAD
    # Locked, so that no two get one number.
    rows = TrustedIdentity.objects.for_team(identity.team_id)
    list(rows.filter(pk=identity.pk).select_for_update(no_key=True).values_list("pk"))
    number = known.filter(name=name).values_list("number", flat=True).first()
    if number is not None:
        return int(number)
    last = _last(known)
    if last > MAX_WORKLOADS:
        return NO_WORKLOAD
    IdentityWorkload.objects.create(
        team_id=identity.team_id, identity=identity, number=last + 1, name=name, **used
    )
    return last + 1


def _last(known: QuerySet[IdentityWorkload]) -> int:
    return int(known.aggregate(last=Max("number", default=NO_WORKLOAD))["last"])
