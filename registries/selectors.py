from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    Exists,
    Max,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Sum,
)
from django.utils import timezone

from licenses.history import latest_of_each_kind
from licenses.identity_selectors import identities_of_team
from licenses.models import Application, Customer, License
from licenses.selectors import (
    applications_for_team,
    licenses_for_team,
    pull_credentials_of_team,
)
from registries.decision.credentials import Subject, SubjectKind
from registries.models import (
    CacheUse,
    Credential,
    CredentialCheck,
    ExternalRegistry,
    LicenseTraffic,
    PullEvent,
)
from registries.models.health import Outcome
from registries.models.outcomes import ALLOWED
from registries.providers import canonical_endpoint
from teams.models import Team
from teams.selectors import api_tokens_for_team, members_of_team

RECENT_PULLS = timedelta(days=30)
IMAGES_SHOWN = 20
# Pulls that agree in these are one row of a customer.
_SAME_IMAGE = ("application_slug", "registry_id", "repository", "outcome")
MAX_REFUSALS_SEARCHED = 500
# Refusals that agree in these fields are shown as one.
_SAME_REFUSALS = (
    "outcome",
    "license_id",
    "holder",
    "application_slug",
    "registry_id",
    "repository",
)


def registries_for_team(team_id: uuid.UUID) -> QuerySet[ExternalRegistry]:
    return (
        ExternalRegistry.objects.for_team(team_id)
        .prefetch_related(
            "applications",
            Prefetch(
                "credentials",
                Credential.objects.for_team(team_id).filter(active=True),
                to_attr="active_credentials",
            ),
        )
        .order_by("-created_at", "-id")
    )


def active_credential(registry: ExternalRegistry) -> Credential:
    """Return the credential that pulls use. Every stored registry has one."""
    return (
        Credential.objects.for_team(registry.team_id)
        .select_related("registry")
        .get(registry=registry, active=True)
    )


def credential_in_use(registry: ExternalRegistry) -> Credential:
    """Return the active credential of a registry from :func:`registries_for_team`."""
    active: list[Credential] = registry.active_credentials  # type: ignore[attr-defined]  # prefetched
    return active[0]


def checks_of_registry(registry: ExternalRegistry) -> QuerySet[CredentialCheck]:
    return (
        CredentialCheck.objects.for_team(registry.team_id)
        .filter(registry=registry)
        .order_by("-created_at", "-id")
    )


def pulls_for_team(team_id: uuid.UUID) -> QuerySet[PullEvent]:
    """Return counted pulls, allowed and refused, the latest first."""
    return PullEvent.objects.for_team(team_id).order_by("-last_at", "-id")


def pulls_with_customers(team_id: uuid.UUID) -> QuerySet[PullEvent]:
    """Return counted pulls with the names of their customers, the latest first.

    Nothing else of their licenses is read, which halves the time of long lists.
    """
    own = [field.name for field in PullEvent._meta.fields]
    pulls = pulls_for_team(team_id).select_related("license__customer")
    return pulls.only(*own, "license__customer__name")


def licenses_with_pulls(
    team_id: uuid.UUID, licenses: Iterable[License]
) -> set[uuid.UUID]:
    """Return the IDs of those of a team's licenses that something was pulled with."""
    pulls = PullEvent.objects.for_team(team_id).filter(
        license=OuterRef("pk"), outcome=ALLOWED
    )
    pks = [license.pk for license in licenses]
    pulled = License.objects.for_team(team_id).filter(Exists(pulls), pk__in=pks)
    return set(pulled.values_list("pk", flat=True))


def pulled_images_of_customer(customer: Customer) -> Sequence[PullEvent]:
    """Return what a customer pulled in 30 days, one row per image and outcome.

    Each is the latest ``PullEvent`` of its kind, so with the latest version, and has
    the number of pulls in ``total``.
    """
    pulls = PullEvent.objects.for_team(customer.team_id).filter(
        license__customer=customer, last_at__gte=timezone.now() - RECENT_PULLS
    )
    return latest_of_each_kind(pulls, _SAME_IMAGE, IMAGES_SHOWN)


def traffic_for_team(team_id: uuid.UUID) -> QuerySet[LicenseTraffic]:
    """Return the bytes sent with licenses by day, the latest first."""
    return LicenseTraffic.objects.for_team(team_id).order_by("-day", "-id")


def stale_pulls_of_registry(registry: ExternalRegistry) -> int:
    """Return how many pulls of 30 days the cache answered while it was unavailable."""
    recent = CacheUse.objects.for_team(registry.team_id).filter(
        registry=registry, day__gt=timezone.now().date() - RECENT_PULLS
    )
    return recent.aggregate(total=Sum("stale_pulls", default=0))["total"] or 0


def applications_of_registry(registry: ExternalRegistry) -> QuerySet[Application]:
    """Return the applications that may use a registry, by slug."""
    applications = applications_for_team(registry.team_id).order_by("slug")
    if registry.shared_with_all:
        return applications
    return applications.filter(registry_shares__registry=registry)


@dataclass(frozen=True, slots=True)
class RegistryUse:
    """What stops if a registry is deleted; ``pulls`` are those of 30 days."""

    applications: Sequence[Application]
    active_licenses: int
    pulls: int


def use_of_registry(registry: ExternalRegistry) -> RegistryUse:
    applications = list(applications_of_registry(registry))
    licenses = licenses_for_team(registry.team_id).active()
    pulls = (
        PullEvent.objects.for_team(registry.team_id)
        .filter(
            registry_id=registry.pk,
            outcome=ALLOWED,
            last_at__gte=timezone.now() - RECENT_PULLS,
        )
        .aggregate(total=Sum("count"))
    )
    return RegistryUse(
        applications=applications,
        active_licenses=licenses.filter(application__in=applications).count(),
        pulls=pulls["total"] or 0,
    )


def pulls_of_registry(registry: ExternalRegistry) -> QuerySet[PullEvent]:
    """Return the pulls through a registry, and the refused ones that named it.

    Refused pulls have no registry, so they are matched by name.
    """
    through = Q(registry_id=registry.pk)
    refused = ~Q(outcome=ALLOWED) & Q(registry_id=None) & _names(registry)
    return pulls_for_team(registry.team_id).filter(through | refused)


def _names(registry: ExternalRegistry) -> Q:
    profile = registry.provider_profile
    names = Q()
    for name in {registry.slug, registry.endpoint, *profile.endpoint_aliases}:
        names |= Q(repository__startswith=f"{name}/")
    return names


def latest_pulls_of_registry(
    registry: ExternalRegistry, number: int = 10
) -> list[PullEvent]:
    """Return the latest of :func:`pulls_of_registry`.

    Only the latest refusals are searched.
    """
    pulls = pulls_of_registry(registry).select_related("license__customer")
    refusals = refused_pulls_for_team(registry.team_id)
    through = pulls.filter(registry_id=registry.pk)[:number]
    refused = pulls.filter(
        registry_id=None, pk__in=refusals.values("pk")[:MAX_REFUSALS_SEARCHED]
    )[:number]
    both = sorted([*through, *refused], key=lambda pull: pull.last_at, reverse=True)
    return both[:number]


def refused_pulls_for_team(team_id: uuid.UUID) -> QuerySet[PullEvent]:
    """Return counted pulls that were refused, the latest first."""
    return pulls_for_team(team_id).exclude(outcome=ALLOWED)


def registries_in_trouble(team_id: uuid.UUID) -> QuerySet[ExternalRegistry]:
    """Return registries whose confirmed health is a failure."""
    return (
        ExternalRegistry.objects.for_team(team_id)
        .exclude(health__in=["", Outcome.VALID])
        .order_by("slug")
    )


def registries_named(team_id: uuid.UUID, upstream: str) -> QuerySet[ExternalRegistry]:
    """Return the registries that a slug or a host in an image name may refer to."""
    named = Q(slug=upstream) | Q(endpoint=canonical_endpoint(upstream))
    return ExternalRegistry.objects.for_team(team_id).filter(named).order_by("slug")


@dataclass(frozen=True, slots=True)
class Refusals:
    """Refused pulls of one repository by one holder for one reason.

    ``pull`` summarizes them: the latest one with the total count. It is not stored.
    """

    pull: PullEvent
    license: License | None


def refusals_since(
    team_id: uuid.UUID, since: datetime, *, number: int = 10
) -> list[Refusals]:
    """Return refused pulls, grouped by holder, repository and reason, latest first."""
    groups: list[Any] = list(
        PullEvent.objects.for_team(team_id)
        .filter(last_at__gte=since)
        .exclude(outcome=ALLOWED)
        .values(*_SAME_REFUSALS)
        .annotate(
            times=Sum("count"),
            latest=Max("last_at"),
            named=Max("reference"),
            credential=Max("credential_name"),
        )
        .order_by("-latest")[:number]
    )
    ids = {group["license_id"] for group in groups if group["license_id"]}
    licenses = licenses_for_team(team_id).in_bulk(list(ids))
    return [
        Refusals(_pull_of(team_id, group), licenses.get(group["license_id"]))
        for group in groups
    ]


def _pull_of(team_id: uuid.UUID, group: dict[str, Any]) -> PullEvent:
    return PullEvent(
        team_id=team_id,
        outcome=group["outcome"],
        license_id=group["license_id"],
        holder=group["holder"],
        credential_name=group["credential"],
        application_slug=group["application_slug"],
        registry_id=group["registry_id"],
        repository=group["repository"],
        reference=group["named"],
        count=group["times"],
        last_at=group["latest"],
    )


def licenses_expiring(
    team_id: uuid.UUID, *, after: datetime, before: datetime
) -> QuerySet[License]:
    """Return licenses that expire in a period, the earliest first.

    Revoked licenses and those of archived customers are left out: they pull nothing.
    """
    return (
        licenses_for_team(team_id)
        .filter(
            expires_at__gt=after,
            expires_at__lte=before,
            revoked_at__isnull=True,
            customer__archived_at__isnull=True,
        )
        .order_by("expires_at", "pk")
    )


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """The steps to the first pull that a team has completed."""

    has_registry: bool
    has_application: bool
    has_license: bool
    has_pull: bool

    @property
    def are_done(self) -> bool:
        return all(
            (self.has_registry, self.has_application, self.has_license, self.has_pull)
        )


def first_steps(team_id: uuid.UUID) -> FirstSteps:
    """Return which steps a team has completed, by one query."""
    pulls = PullEvent.objects.for_team(team_id).filter(outcome=ALLOWED)
    done = Team.objects.filter(pk=team_id).values_list(
        Exists(ExternalRegistry.objects.for_team(team_id)),
        Exists(applications_for_team(team_id)),
        Exists(License.objects.for_team(team_id)),
        Exists(pulls),
    )
    return FirstSteps(*done.get())


def names_of_holders(team_id: uuid.UUID, holders: Iterable[str]) -> dict[str, str]:
    """Return the display names of holders by subject, except of licenses.

    Deleted ones are left out.
    """
    subjects = [
        subject for holder in set(holders) if (subject := Subject.parse(holder))
    ]
    tokens = _ids(subjects, SubjectKind.API_TOKEN)
    users = _ids(subjects, SubjectKind.USER)
    names = {
        f"{SubjectKind.API_TOKEN}:{token.pk}": f"API token {token.name}"
        for token in api_tokens_for_team(team_id).filter(pk__in=tokens)
    }
    names |= {
        f"{SubjectKind.PULL_CREDENTIAL}:{credential.pk}": (
            f"pull credential {credential.name}"
        )
        for credential in pull_credentials_of_team(team_id).filter(
            pk__in=_ids(subjects, SubjectKind.PULL_CREDENTIAL)
        )
    }
    identities = identities_of_team(team_id).in_bulk(
        _ids(subjects, SubjectKind.IDENTITY)
    )
    names |= {
        str(subject): f"trusted identity {identities[subject.id].label}"
        for subject in subjects
        if subject.id in identities
    }
    return names | {
        f"{SubjectKind.USER}:{member.user_id}": member.user.email
        for member in members_of_team(team_id).filter(user_id__in=users)
    }


def _ids(subjects: Iterable[Subject], kind: SubjectKind) -> list[uuid.UUID]:
    return [subject.id for subject in subjects if subject.kind is kind]
