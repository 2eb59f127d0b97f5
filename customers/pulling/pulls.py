"""Counted pulls in the customer's words, and ways to narrow them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from customers.pulling.outcomes import PublicOutcome, outcomes_behind, public_outcome
from customers.pulling.pasted import pasted_secret
from portal.http.values import parse_id
from registries.decision.credentials import Subject, SubjectKind
from registries.models import PullEvent
from registries.models.outcomes import ALLOWED
from registries.web.pull_links import MANY

REFUSED = "refused"
LICENSE_ID = "license-id"
NAMED = "credential:"
IDENTITY = f"{SubjectKind.IDENTITY}:"


@dataclass(frozen=True, slots=True)
class PullRow:
    """A counted pull in the customer's words; ``advice`` is "" if it was allowed.

    ``credential_name`` is "" for a pull with the license ID.
    """

    pull: PullEvent
    image: str
    credential_name: str
    outcome: PublicOutcome
    advice: str

    @property
    def credential(self) -> str:
        return self.credential_name or "License ID"

    @property
    def day(self) -> date:
        return timezone.localdate(self.pull.last_at)

    @property
    def is_checkable(self) -> bool:
        """Return whether *Check* can say how it would end now."""
        is_one = self.pull.repository != MANY and not pasted_secret(self.image)
        # A trusted identity is none of the secrets to choose from.
        is_secret = not self.pull.holder.startswith(IDENTITY)
        return is_one and is_secret and not self.outcome.is_allowed

    @property
    def subject(self) -> Subject:
        """Return the secret that was pulled with, as *Check* names it."""
        if self.pull.credential_id is not None:
            return Subject(SubjectKind.PULL_CREDENTIAL, self.pull.credential_id)
        assert self.pull.license_id is not None  # noqa: S101 -- a customer's pull
        return Subject(SubjectKind.LICENSE, self.pull.license_id)


def pull_rows(pulls: Iterable[PullEvent], vendor: str) -> list[PullRow]:
    """Return counted pulls as a customer of this vendor may know them."""
    rows = []
    for pull in pulls:
        outcome = public_outcome(pull.outcome)
        rows.append(
            PullRow(
                pull=pull,
                image=_image(pull),
                credential_name=pull.credential_name if pull.credential_id else "",
                outcome=outcome,
                advice=outcome.advice_of(vendor),
            )
        )
    return rows


def _image(pull: PullEvent) -> str:
    """Return the name as it was pulled."""
    if pull.repository == MANY:
        return "many images"
    if pull.is_private:
        name = f"{pull.application_slug}/{pull.image}"
        return "/".join(filter(None, (settings.BERTH_REGISTRY_HOST, name)))
    return "/".join(filter(None, (settings.BERTH_PROXY_HOST, pull.proxied_image)))


def on_day(rows: QuerySet[PullEvent], day: date) -> QuerySet[PullEvent]:
    """Keep the pulls of a day of the current time zone."""
    zone = timezone.get_current_timezone()
    return rows.filter(
        last_at__gte=datetime.combine(day, time.min, zone),
        last_at__lte=datetime.combine(day, time.max, zone),
    )


def with_outcome(rows: QuerySet[PullEvent], code: str) -> QuerySet[PullEvent]:
    """Keep those with a public outcome, or all refused ones; else none."""
    if code == REFUSED:
        return rows.exclude(outcome=ALLOWED)
    return rows.filter(outcome__in=outcomes_behind(code))


def with_credential(rows: QuerySet[PullEvent], text: str) -> QuerySet[PullEvent]:
    """Keep those with the license ID, ``credential:NAME`` or ``identity:ID``."""
    if text == LICENSE_ID:
        return rows.filter(credential_id=None)
    if text.startswith(IDENTITY):
        pk = parse_id(text.removeprefix(IDENTITY))
        return rows.filter(credential_id=pk) if pk else rows.none()
    if not text.startswith(NAMED):
        return rows.none()
    return rows.filter(credential_name=text.removeprefix(NAMED))
