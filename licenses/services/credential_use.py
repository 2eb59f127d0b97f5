"""The use of pull credentials: when, from where and by what.

A login notes it in the background, so that no client waits. Each process remembers for
an hour from which networks it has noted a credential. So a login costs the database
nothing more, and still the first one from a network is noted, however busy a credential
is elsewhere.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from threading import Lock

from cachetools import TTLCache
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from licenses.credential_alerts import alert_new_network
from licenses.models import MAX_CLIENT_LENGTH, PullCredential, PullCredentialNetwork
from licenses.networks import network_of
from teams.api_tokens import was_used_long_ago
from teams.models import LAST_USED_PRECISION

# Of one credential; the one used longest ago is forgotten first.
MAX_NETWORKS_KEPT = 100
NOTED_FOR = timedelta(hours=1)
MAX_NOTED = 50_000
_noted: TTLCache[tuple[uuid.UUID, str | None], bool] = TTLCache(
    MAX_NOTED, ttl=NOTED_FOR.total_seconds()
)
_lock = Lock()


def is_use_noted(
    credential_id: uuid.UUID, last_used_at: datetime | None, address: str
) -> bool:
    """Return whether the use of a credential now, from an address, is no news.

    ``last_used_at`` is what is stored.
    """
    if was_used_long_ago(last_used_at):
        return False
    with _lock:
        return (credential_id, network_of(address)) in _noted


def touch_pull_credential(
    team_id: uuid.UUID, credential_id: uuid.UUID, address: str, client: str
) -> None:
    """Store that a credential was used, from where and by what, once a minute.

    The first use from another network than before alerts the team.
    """
    network = network_of(address)
    with transaction.atomic():
        _note_last_use(team_id, credential_id, address, client)
        if network is not None:
            _note_network(team_id, credential_id, network, address)
    with _lock:
        _noted[credential_id, network] = True


def inherit_networks(new: PullCredential, old: PullCredential) -> None:
    """Let a rotated credential be used without an alert from where the old one was.

    Forgets where the secret before the old one was used: it has ended.
    """
    known = PullCredentialNetwork.objects.for_team(old.team_id)
    known.filter(credential__replaced_by=old).delete()
    PullCredentialNetwork.objects.bulk_create(
        PullCredentialNetwork(
            team_id=new.team_id,
            credential=new,
            network=row.network,
            last_used_at=row.last_used_at,
        )
        for row in known.filter(credential=old)
    )


def _note_last_use(
    team_id: uuid.UUID, credential_id: uuid.UUID, address: str, client: str
) -> None:
    now = timezone.now()
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - LAST_USED_PRECISION)
    printable = "".join(character for character in client if " " <= character <= "~")
    PullCredential.objects.for_team(team_id).filter(stale, pk=credential_id).update(
        last_used_at=now,
        last_used_address=None if address == "unknown" else address,
        last_used_client=printable[:MAX_CLIENT_LENGTH],
    )


def _note_network(
    team_id: uuid.UUID, credential_id: uuid.UUID, network: str, address: str
) -> None:
    now = timezone.now()
    known = PullCredentialNetwork.objects.for_team(team_id).filter(
        credential_id=credential_id
    )
    if known.filter(network=network).update(last_used_at=now):
        return
    # Locked, so that of two first uses at once the second sees the first.
    credential = (
        PullCredential.objects.for_team(team_id)
        .select_for_update(no_key=True, of=("self",))
        .select_related("license__customer", "license__application", "license__channel")
        .filter(pk=credential_id)
        .first()
    )
    if credential is None or known.filter(network=network).exists():
        return
    is_first = not known.exists()
    PullCredentialNetwork.objects.create(
        team_id=team_id, credential=credential, network=network, last_used_at=now
    )
    latest = known.order_by("-last_used_at").values("pk")[:MAX_NETWORKS_KEPT]
    known.exclude(pk__in=list(latest.values_list("pk", flat=True))).delete()
    if not is_first:
        alert_new_network(credential, network, address)
