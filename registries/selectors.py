from __future__ import annotations

import uuid

from django.db.models import Prefetch, QuerySet

from registries.models import (
    Credential,
    CredentialCheck,
    ExternalRegistry,
    PullEvent,
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


def checks_of_registry(registry: ExternalRegistry) -> QuerySet[CredentialCheck]:
    return (
        CredentialCheck.objects.for_team(registry.team_id)
        .filter(registry=registry)
        .order_by("-created_at", "-id")
    )


def pulls_for_team(team_id: uuid.UUID) -> QuerySet[PullEvent]:
    """Return counted pulls, the latest first, refused ones too."""
    return PullEvent.objects.for_team(team_id).order_by("-last_at", "-id")
