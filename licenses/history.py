"""The history of a license or customer, and recent pulls, as pages show them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Max, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from audit.models import AuditEvent
from audit.selectors import audit_events_for_team
from audit.tags import EventTag, describe
from licenses.models import Customer, License, PullCredential, TrustedIdentity

if TYPE_CHECKING:
    from django.db.models import Model

PULLS_SHOWN = 20
# Of a license, for those that are shown.
LATEST_SEARCHED = 500
PULLS_SINCE = timedelta(days=30)
# Pulls that agree in these are one line.
_SAME_PULLS = (
    "credential_name",
    "application_slug",
    "registry_id",
    "repository",
    "reference",
    "outcome",
)
_PARTS = {PullCredential._meta.label_lower, TrustedIdentity._meta.label_lower}
_WORDS = {
    "channel": "channel",
    "custom_id": "custom ID",
    "email": "e-mail address",
    "expires_at": "expiry",
    "field_values": "license fields",
    "key_set": "key set",
    "kids": "keys",
    "label": "label",
    "name": "name",
    "networks": "networks",
    "role": "role",
    "secret_field_values": "passwords",
    "type": "type",
}
# What a customer may know of a license, in their words.
_FOR_CUSTOMERS: dict[str, str] = {
    EventTag.LICENSE_ISSUED: "Issued",
    EventTag.LICENSE_CHANGED: "Changed",
    EventTag.LICENSE_REVOKED: "Revoked",
    EventTag.LICENSE_REINSTATED: "Reinstated",
    EventTag.LICENSE_ID_REPLACED: "License ID replaced",
    EventTag.LICENSE_FILE_DOWNLOADED: "License file downloaded",
    EventTag.SECRET_LEAKED: "License ID found in public, and stopped",
}
# Who acts on the customer's side.
_OF_CUSTOMER = ("contact", "license")


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a timeline: what happened, who did it and when.

    ``until`` is the expiry that a license was issued with or changed to.
    ``is_of_part`` says that the subject is a pull credential of a license, so that the
    license's own history names it too.
    """

    text: str
    subject: str
    detail: str
    until: datetime | None
    who: str
    at: datetime
    is_of_part: bool = False


def events_of_license(team_id: uuid.UUID, license: License) -> QuerySet[AuditEvent]:
    """Return audit events of a license and its credentials, newest first."""
    licenses = License.objects.for_team(team_id).filter(pk=license.pk)
    credentials = PullCredential.objects.for_team(team_id).filter(license=license)
    identities = TrustedIdentity.objects.for_team(team_id).filter(license=license)
    # A union, since an OR would read the team's whole log.
    subjects = licenses.values("pk").union(
        credentials.values("pk"), identities.values("pk")
    )
    return audit_events_for_team(team_id).filter(subject_id__in=subjects)


def events_of_customer(team_id: uuid.UUID, customer: Customer) -> QuerySet[AuditEvent]:
    """Return audit events of a customer and what is theirs, newest first."""
    licenses = License.objects.for_team(team_id).filter(customer=customer)
    credentials = PullCredential.objects.for_team(team_id).filter(license__in=licenses)
    identities = TrustedIdentity.objects.for_team(team_id).filter(license__in=licenses)
    subjects = licenses.values("pk").union(
        credentials.values("pk"),
        identities.values("pk"),
        Customer.objects.for_team(team_id).filter(pk=customer.pk).values("pk"),
    )
    return audit_events_for_team(team_id).filter(subject_id__in=subjects)


def history(events: Sequence[AuditEvent]) -> list[HistoryEntry]:
    """Return audit events as lines of a timeline."""
    return [
        HistoryEntry(
            text=describe(event.tag),
            subject=event.subject_label,
            detail=_detail(event.data),
            until=_until(event),
            who=event.actor_label,
            at=event.created_at,
            is_of_part=event.subject_kind in _PARTS,
        )
        for event in events
    ]


def events_for_customers(
    team_id: uuid.UUID, licenses: Sequence[License]
) -> QuerySet[AuditEvent]:
    """Return audit events of licenses that their customer may see, newest first."""
    vendors_download = Q(tag=EventTag.LICENSE_FILE_DOWNLOADED) & ~Q(
        actor_kind__in=_OF_CUSTOMER
    )
    return (
        audit_events_for_team(team_id)
        .filter(
            subject_id__in=[license.pk for license in licenses],
            tag__in=list(_FOR_CUSTOMERS),
        )
        .exclude(vendors_download)
    )


def history_for_customer(
    events: Sequence[AuditEvent], vendor: str
) -> list[HistoryEntry]:
    """Return events as lines that say neither why nor who of the vendor."""
    return [
        HistoryEntry(
            text=_FOR_CUSTOMERS[event.tag],
            subject="",
            detail=_detail({"changed": event.data.get("changed", [])}),
            until=_until(event),
            who=event.actor_label if event.actor_kind in _OF_CUSTOMER else vendor,
            at=event.created_at,
        )
        for event in events
    ]


def recent_pulls(license: License) -> list[Any]:
    """Return a license's pulls of the last 30 days, one per image and outcome.

    Each is the latest ``PullEvent`` of its kind, with the number of pulls in ``total``.
    """
    pulls = license.pulls.filter(last_at__gte=timezone.now() - PULLS_SINCE)
    return latest_of_each_kind(_with_latest(pulls), _SAME_PULLS, PULLS_SHOWN)


def _with_latest(pulls: QuerySet[Any]) -> QuerySet[Any]:
    """Keep pulls of the latest references, if those are as many kinds as are shown.

    A large cluster pulls thousands of digests: adding up all takes twice as long.
    """
    latest = pulls.order_by("-last_at").values_list(*_SAME_PULLS, "reference")
    kinds = list(dict.fromkeys(latest[:LATEST_SEARCHED]))[:PULLS_SHOWN]
    if len(kinds) < PULLS_SHOWN:
        return pulls
    return pulls.filter(reference__in={reference for *_, reference in kinds})


def latest_of_each_kind(
    pulls: QuerySet[Any], kinds: Sequence[str], number: int
) -> list[Any]:
    """Return the latest of pulls that agree in some columns, the latest kinds first.

    Each has the number of pulls of its kind in ``total``.
    """
    # Adding up and looking the latest up takes a tenth of the time that sorting does.
    groups = (
        pulls.order_by()
        .values(*kinds)
        .annotate(pulls=Sum("count"), latest=Max("last_at"))
        .order_by("-latest", *kinds)[:number]
    )
    totals = {_kind(group, kinds): group for group in groups}
    latest = {}
    for pull in pulls.filter(
        last_at__in={group["latest"] for group in totals.values()}
    ):
        kind = _kind(vars(pull), kinds)
        if kind in totals and totals[kind]["latest"] == pull.last_at:
            pull.total = totals[kind]["pulls"]
            latest[kind] = pull
    return [latest[kind] for kind in totals if kind in latest]


def _kind(values: Mapping[str, Any], kinds: Sequence[str]) -> tuple[Any, ...]:
    return tuple(values[name] for name in kinds)


def bytes_by_day(license: License, since: date) -> dict[date, int]:
    """Return the bytes sent with a license by day (UTC); days without are left out."""
    return dict(license.traffic.filter(day__gte=since).values_list("day", "bytes"))


def last_pull(license: License) -> Model | None:
    """Return the latest pull with a license, allowed or denied, or None."""
    return license.pulls.order_by("-last_at").first()


def _detail(data: Mapping[str, Any]) -> str:
    if reason := data.get("reason"):
        return str(reason)
    changed = ", ".join(_WORDS.get(name, name) for name in data.get("changed", []))
    whom = f"for {data['contact']}" if "contact" in data else ""
    return ": ".join(filter(None, (whom, changed)))


def _until(event: AuditEvent) -> datetime | None:
    is_new = event.tag == EventTag.LICENSE_ISSUED or "expires_at" in event.data.get(
        "changed", []
    )
    at = event.data.get("expires_at")
    return parse_datetime(at) if is_new and at else None
