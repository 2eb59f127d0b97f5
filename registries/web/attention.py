"""What needs attention, as one list: by customer, after the team's own registries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from licenses.models import EXPIRES_SOON, License
from registries.models import ExternalRegistry, PullEvent
from registries.selectors import (
    licenses_expiring,
    refusals_since,
    registries_in_trouble,
)
from registries.web.pull_links import PullRow, pull_rows
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_url

EXPIRED_RECENTLY = timedelta(days=7)
REFUSED_RECENTLY = timedelta(days=7)
# Of each kind; a link shows the rest.
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to see to, and what to do about it.

    A registry has a ``health`` instead of a state. The action is a link, or with
    ``is_dialog`` opens over the page, or with ``is_posted`` is a button.
    """

    text: str
    url: str
    at: datetime | None
    state: str = ""
    tone: str = "bad"
    health: str = ""
    detail: str = ""
    action: str = ""
    action_url: str = ""
    is_dialog: bool = False
    is_posted: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """The lines of one customer, or of the team itself."""

    name: str
    url: str = ""
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Attention:
    """Everything that needs attention; ``more`` are the lists that go on elsewhere."""

    groups: Sequence[Group]
    more: Sequence[tuple[str, str]]


def attention(request: TeamRequest) -> Attention:
    """Return the team's list, the registries first, then customers as they came."""
    team_id, now = request.team.pk, timezone.now()
    failing = list(registries_in_trouble(team_id)[: SHOWN + 1])
    expiring = list(
        licenses_expiring(
            team_id, after=now - EXPIRED_RECENTLY, before=now + EXPIRES_SOON
        )[: SHOWN + 1]
    )
    refusals = refusals_since(team_id, now - REFUSED_RECENTLY, number=SHOWN + 1)
    refused = pull_rows(team_id, ((row.pull, row.license) for row in refusals))
    more = [
        (label, address)
        for rows, label, address in (
            (failing, "All registries", team_url(request, "images")),
            (
                expiring,
                "All expiring licenses",
                f"{team_url(request, 'licenses')}?state=expiring",
            ),
            (
                refused,
                "All refused pulls",
                f"{team_url(request, 'pulls')}?outcome=refused",
            ),
        )
        if len(rows) > SHOWN
    ]
    groups = [
        *_of_registries(request, failing[:SHOWN]),
        *_of_customers(request, expiring[:SHOWN], refused[:SHOWN]),
    ]
    return Attention(groups, more)


def _of_registries(
    request: TeamRequest, registries: Sequence[ExternalRegistry]
) -> list[Group]:
    lines = [_registry_line(request, registry) for registry in registries]
    return [Group("Your registries", team_url(request, "images"), lines)][: len(lines)]


def _registry_line(request: TeamRequest, registry: ExternalRegistry) -> Line:
    page = team_url(request, "registries-detail", registry_id=registry.pk)
    may_fix = request.actor.may(Permission.REGISTRY_MANAGE)
    is_rejected = registry.health == "rejected"
    name = "registries-credential" if is_rejected else "registries-check"
    action = "Replace credential" if is_rejected else "Check now"
    return Line(
        health=registry.health,
        text=registry.slug,
        url=page,
        at=registry.health_checked_at,
        action=action if may_fix else "",
        action_url=team_url(request, name, registry_id=registry.pk),
        is_dialog=is_rejected,
        is_posted=not is_rejected,
    )


def _of_customers(
    request: TeamRequest, expiring: Iterable[License], refused: Iterable[PullRow]
) -> list[Group]:
    groups: dict[object, Group] = {}
    for license in expiring:
        _group_of(request, groups, license).lines.append(_expiry(request, license))
    for row in refused:
        _group_of(request, groups, row.license).lines.append(_refusal(request, row))
    return list(groups.values())


def _group_of(
    request: TeamRequest, groups: dict[object, Group], license: License | None
) -> Group:
    if license is None:
        return groups.setdefault(None, Group("Your team"))
    customer = license.customer
    page = team_url(request, "customers-detail", customer_id=customer.pk)
    return groups.setdefault(customer.pk, Group(customer.name, page))


def _expiry(request: TeamRequest, license: License) -> Line:
    is_over = license.expires_at is not None and license.expires_at <= timezone.now()
    may_renew = request.actor.may(Permission.LICENSE_CHANGE)
    renew = f"{team_url(request, 'licenses-bulk-renew')}?id={license.pk}"
    return Line(
        state="Expired" if is_over else "Expiring",
        tone="bad" if is_over else "warning",
        text=license.application.name,
        url=team_url(request, "licenses-detail", license_id=license.pk),
        at=license.expires_at,
        action="Renew" if may_renew else "",
        action_url=renew,
    )


def _image(pull: PullEvent) -> str:
    """Return an image as its pulls name it, without the proxy's part."""
    host = settings.BERTH_REGISTRY_HOST
    if not pull.is_private or not host:
        return pull.repository
    return f"{host}/{pull.application_slug}/{pull.repository}"


def _refusal(request: TeamRequest, row: PullRow) -> Line:
    pull, license = row.pull, row.license
    times = "once" if pull.count == 1 else f"{pull.count:,} times"
    credential = f" with {pull.credential_name}" if pull.credential_name else ""
    return Line(
        state=pull.outcome_in_words,
        text=_image(pull),
        url=(
            team_url(request, "licenses-detail", license_id=license.pk)
            if license
            else ""
        ),
        at=pull.last_at,
        detail=f"{row.holder}, {times}" if license is None else f"{times}{credential}",
        action="Why?",
        action_url=f"{team_url(request, 'why')}?{row.why}",
    )
