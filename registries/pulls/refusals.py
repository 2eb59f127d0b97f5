"""Tells programs of refused pulls: the first of a kind in an hour."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from alerts.events import Event
from alerts.selectors import keys_to_raise
from licenses.alerts import named, raise_license_event
from licenses.credential_alerts import described
from licenses.models import License, PullCredential
from registries.models import PullEvent
from registries.models.outcomes import REFUSALS, Reason, outcome_in_words
from registries.pulls.events import Counted, Pull

_OF_CREDENTIAL = {
    Reason.CREDENTIAL_REVOKED,
    Reason.CREDENTIAL_EXPIRED,
    Reason.IDENTITY_REMOVED,
    Reason.NETWORK_NOT_ALLOWED,
}


def tell_refusals(pulls: Mapping[Pull, Counted]) -> None:
    """Raise ``pull.refused`` once per license, reason and hour.

    Where the pull credential is the reason, once for each of the license's. Any number
    of edges may call it for the same refusals, each in the transaction that counts
    them. Pulls without a license are the vendor's own, and are not told.
    """
    first = _first_of_each_kind(pulls)
    keys = {_key(pull): pull.team_id for pull in first}
    wanted = keys_to_raise(Event.PULL_REFUSED, keys) if keys else set()
    told = {_key(pull): pull for pull in first if _key(pull) in wanted}
    licenses = _licenses({pull.license_id for pull in told.values() if pull.license_id})
    credentials = _credentials(told.values())
    # In one order, so that no two edges wait for each other's rows.
    for key, pull in sorted(told.items()):
        if license := licenses.get(pull.license_id):
            credential = credentials.get(pull.credential_id)
            _tell(license, credential, key, pull, pulls[pull])


def _first_of_each_kind(pulls: Mapping[Pull, Counted]) -> list[Pull]:
    refused = [pull for pull in pulls if pull.outcome in REFUSALS and pull.license_id]
    first: dict[str, Pull] = {}
    for pull in sorted(refused, key=lambda pull: pulls[pull].last_at):
        first.setdefault(_key(pull), pull)
    return list(first.values())


def _key(pull: Pull) -> str:
    is_of_credential = pull.outcome in _OF_CREDENTIAL and pull.credential_id
    refused = pull.credential_id if is_of_credential else pull.license_id
    return f"{refused}:{pull.outcome}:{pull.hour:%Y-%m-%dT%H}"


def _licenses(
    ids: set[uuid.UUID],
) -> dict[uuid.UUID | None, License]:
    if not ids:
        return {}
    licenses = License.objects.filter(pk__in=ids).select_related(
        "customer", "application", "channel"
    )
    return {license.pk: license for license in licenses}


def _credentials(
    pulls: Iterable[Pull],
) -> dict[uuid.UUID | None, PullCredential]:
    ids = {pull.credential_id for pull in pulls if pull.credential_id}
    return dict(PullCredential.objects.in_bulk(list(ids))) if ids else {}


def _tell(
    license: License,
    credential: PullCredential | None,
    key: str,
    pull: Pull,
    counted: Counted,
) -> None:
    image = _image(pull)
    secret = f"the pull credential {credential.name} of " if credential else ""
    raise_license_event(
        license,
        Event.PULL_REFUSED,
        key=key,
        message=(
            f"A pull of {image} with {secret}{named(license)} was refused: "
            f"{outcome_in_words(pull.outcome)}."
        ),
        reason=pull.outcome,
        image=image,
        at=counted.last_at.isoformat(),
        credential=described(credential) if credential else None,
    )


def _image(pull: Pull) -> str:
    """Return the name that was pulled, without the host."""
    event = PullEvent(
        application_slug=pull.application_slug,
        registry_id=pull.registry_id,
        repository=pull.repository,
        reference=pull.reference,
    )
    if event.is_private:
        return f"{pull.application_slug}/{event.image}"
    return event.proxied_image
