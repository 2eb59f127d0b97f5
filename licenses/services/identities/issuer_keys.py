"""The keys that issuers publish: read regularly, and when a token names another one.

They are stored, so that an issuer that is away stops no pull for a day. What it no
longer publishes is forgotten with the next reading.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asgiref.sync import async_to_sync
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from licenses.identities.issuer import IssuerUnavailable, read_issuer_keys
from licenses.models import IssuerKeys, TrustedIdentity
from portal.errors import Invalid
from portal.limits.waiting import waiting

READ_EVERY = timedelta(minutes=10)
TRIED_AGAIN_AFTER = timedelta(minutes=1)
# Because a token names an unknown key: whoever sends such tokens must not make Berth
# ask the issuer more often.
TRIED_FOR_TOKENS_EVERY = timedelta(seconds=10)
KEPT_WITHOUT_USE = timedelta(days=1)
AT_ONCE = 20
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an issuer answered: its key set, or why there is none."""

    key_set: str = ""
    problem: str = ""


async def read_issuer(issuer: str) -> Reading:
    try:
        return Reading(key_set=await read_issuer_keys(issuer))
    except IssuerUnavailable as error:
        return Reading(problem=str(error))


def read_issuer_for(team_id: uuid.UUID, issuer: str) -> None:
    """Read an issuer's keys now, unless they are known, while a person waits.

    Call it outside a transaction.

    Raises:
        Invalid: they cannot be read.
        TooMany: too many requests are waiting.
    """
    now = timezone.now()
    known = IssuerKeys.objects.filter(issuer=issuer, read_at__gt=now - READ_EVERY)
    if known.exists():
        return
    with waiting(team_id):
        reading = async_to_sync(read_issuer)(issuer)
    if reading.problem:
        advice = "If Berth cannot reach the issuer, upload its key set."
        raise Invalid({"issuer": [f"{reading.problem} {advice}"]})
    IssuerKeys.objects.get_or_create(issuer=issuer)
    store_reading(issuer, reading)


def claim_reading(issuer: str) -> bool:
    """Return whether the caller is to read the issuer's keys now, for a token.

    Only one is, and only of an issuer that is known and was not tried just before.
    """
    now = timezone.now()
    due = Q(tried_at=None) | Q(tried_at__lte=now - TRIED_FOR_TOKENS_EVERY)
    rows = IssuerKeys.objects.filter(due, issuer=issuer)
    return bool(rows.update(tried_at=now))


def store_reading(issuer: str, reading: Reading) -> None:
    """Store what was read. The keys before go on if there are no others."""
    now = timezone.now()
    rows = IssuerKeys.objects.filter(issuer=issuer)
    if reading.problem:
        rows.update(
            problem=reading.problem[:600],
            tried_at=now,
            next_at=now + TRIED_AGAIN_AFTER,
        )
        return
    rows.update(
        key_set=reading.key_set,
        problem="",
        read_at=now,
        tried_at=now,
        next_at=now + READ_EVERY,
    )


def refresh_issuers() -> int:
    """Read the keys of all issuers that are due; return how many.

    Any number of workers may do this: each claims what it reads.
    """
    _forget_unused(timezone.now())
    number = 0
    while issuers := _claim_due():
        _read_and_store(issuers)
        number += len(issuers)
    return number


def _forget_unused(now: datetime) -> None:
    trusted = TrustedIdentity.objects.current().filter(
        issuer=OuterRef("issuer"), key_set=""
    )
    last_read = Q(read_at__lt=now - KEPT_WITHOUT_USE) | Q(read_at=None)
    unused = IssuerKeys.objects.filter(~Exists(trusted), last_read)
    unused.filter(next_at__lte=now).delete()


@transaction.atomic
def _claim_due() -> list[str]:
    now = timezone.now()
    rows = IssuerKeys.objects.filter(_is_trusted(), next_at__lte=now)
    due = rows.order_by("next_at").select_for_update(skip_locked=True)
    issuers = list(due.values_list("pk", flat=True)[:AT_ONCE])
    IssuerKeys.objects.filter(pk__in=issuers).update(
        tried_at=now, next_at=now + TRIED_AGAIN_AFTER
    )
    return issuers


def _is_trusted() -> Exists:
    trusted = TrustedIdentity.objects.current().filter(
        issuer=OuterRef("issuer"), key_set=""
    )
    return Exists(trusted)


def _read_and_store(issuers: Sequence[str]) -> None:
    readings = async_to_sync(_read_all)(issuers)
    for issuer, reading in zip(issuers, readings, strict=True):
        if isinstance(reading, BaseException):
            # One issuer's answer must not keep others' keys from being stored.
            logger.error("Reading an issuer's keys failed", exc_info=reading)
            continue
        store_reading(issuer, reading)
        if reading.problem:
            logger.warning("An issuer's keys could not be read: %s", reading.problem)


async def _read_all(issuers: Sequence[str]) -> list[Reading | BaseException]:
    return await asyncio.gather(*map(read_issuer, issuers), return_exceptions=True)
