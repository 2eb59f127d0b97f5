"""Records a check's result: its row, the registry's health, and an alert."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from alerts.events import Event
from alerts.services import raise_alert
from registries.checks.attempt import CheckResult
from registries.models import Credential, CredentialCheck, ExternalRegistry
from registries.models.health import Health, Outcome, after_check, next_check_in

_EVENTS = {
    Outcome.VALID: Event.REGISTRY_RECOVERED,
    Outcome.REJECTED: Event.REGISTRY_REJECTED,
    Outcome.REPOSITORY_DENIED: Event.REGISTRY_REPOSITORY_DENIED,
    Outcome.RATE_LIMITED: Event.REGISTRY_RATE_LIMITED,
    Outcome.UNREACHABLE: Event.REGISTRY_UNREACHABLE,
    Outcome.UPSTREAM_ERROR: Event.REGISTRY_UPSTREAM_ERROR,
}
_HEALTH_FIELDS = [
    *("health", "health_since", "health_checked_at", "suspect", "failures"),
    *("next_check_at", "claimed_until"),
]


@transaction.atomic
def record_check(
    version: Credential,
    result: CheckResult,
    *,
    counts_image: bool = True,
    claim: datetime | None = None,
) -> None:
    """Store the result of a check and schedule the next one.

    If the credential was replaced during the check, only the row is stored. With
    ``counts_image`` False, somebody tried another image than the registry's own test
    image: only the result of signing in counts. With a ``claim``, nothing is stored
    unless the registry is still claimed until then.

    Raises:
        ExternalRegistry.DoesNotExist: it was deleted during the check.
    """
    registry = (
        ExternalRegistry.objects.for_team(version.team_id)
        .select_for_update()
        .get(pk=version.registry_id)
    )
    if claim is not None and registry.claimed_until != claim:
        return
    now = timezone.now()
    CredentialCheck.objects.create(
        team_id=version.team_id,
        registry_id=version.registry_id,
        credential=version,
        outcome=result.outcome,
        http_status=result.http_status,
        latency_ms=result.latency_ms,
        detail=result.detail[:500],
    )
    if not _is_active(version):
        return
    outcome = result.outcome
    if not counts_image and result.is_only_about_the_image:
        outcome = Outcome.VALID
    if not counts_image and outcome is Outcome.VALID and registry.test_image:
        check_at_once(registry)
    else:
        _change_health(registry, outcome, result, now)


def _is_active(version: Credential) -> bool:
    versions = Credential.objects.for_team(version.team_id)
    return versions.filter(pk=version.pk, active=True).exists()


def check_at_once(registry: ExternalRegistry) -> None:
    """Make a registry due; the result of a running check is discarded."""
    registry.next_check_at, registry.claimed_until = timezone.now(), None
    registry.save(update_fields=["next_check_at", "claimed_until"])


def reset_health(registry: ExternalRegistry) -> None:
    """Discard what checks found out about a replaced credential.

    Called in the transaction of the replacement; the registry is due at once. A failed
    state stays until a check succeeds, so that the recovery raises an alert too.
    """
    if registry.health == Outcome.VALID:
        registry.health, registry.health_since = "", None
    registry.suspect, registry.failures = "", 0
    registry.save(update_fields=_HEALTH_FIELDS)
    check_at_once(registry)


def _change_health(
    registry: ExternalRegistry, outcome: Outcome, result: CheckResult, now: datetime
) -> None:
    before = registry.known_health
    health = after_check(before, outcome, now)
    registry.health = health.state or ""
    registry.health_since = health.since
    registry.health_checked_at = now
    registry.suspect = health.suspect or ""
    registry.failures = health.failures
    registry.next_check_at = now + next_check_in(
        health,
        interval=timedelta(seconds=settings.BERTH_CHECK_SECONDS),
        retry_after=result.retry_after,
    )
    registry.claimed_until = None
    registry.save(update_fields=_HEALTH_FIELDS)
    if health.state is not before.state:
        _raise_alert(registry, before, health, result)


def _raise_alert(
    registry: ExternalRegistry, before: Health, health: Health, result: CheckResult
) -> None:
    if health.state is None or health.since is None:
        return
    if health.state is Outcome.VALID and before.state is None:
        return  # just connected: whoever added it has seen the result
    recovered = f"The registry {registry.slug} works again."
    raise_alert(
        team_id=registry.team_id,
        event=_EVENTS[health.state],
        subject=registry,
        key=f"{registry.pk}:{health.since.isoformat()}",
        message=recovered if health.state is Outcome.VALID else result.detail,
        data={
            "endpoint": registry.endpoint,
            "since": health.since.isoformat(),
            "was": before.state,
            "http_status": result.http_status,
        },
    )
