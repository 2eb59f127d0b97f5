from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast

from django.db import models
from django.utils import timezone

from audit.models import AuditEvent
from audit.tags import EventTag
from portal.logs.request_id import current_request_id

BATCH = 1000


class AuditActor(Protocol):
    """A person, service account, API token or Berth itself, as it acts in a team."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> uuid.UUID | None: ...
    @property
    def label(self) -> str: ...
    @property
    def address(self) -> str | None: ...
    @property
    def request_id(self) -> str: ...


def record(
    actor: AuditActor,
    tag: EventTag,
    subject: models.Model,
    team_id: uuid.UUID | None = None,
    /,
    **data: object,
) -> AuditEvent:
    """Write one audit event, in the caller's transaction.

    The event belongs to the subject's team. A user or team has no ``team_id`` of its
    own, so the caller passes it. ``data`` never holds a secret: everyone with access
    to the audit log sees all of it.
    """
    event = _event(actor, tag, subject, team_id, data)
    event.save(force_insert=True)
    return event


def record_all(
    actor: AuditActor,
    tag: EventTag,
    changes: Iterable[tuple[models.Model, Mapping[str, object]]],
) -> list[AuditEvent]:
    """Write an event for each subject with its data, as :func:`record` does."""
    events = [_event(actor, tag, subject, None, data) for subject, data in changes]
    return AuditEvent.objects.bulk_create(events, BATCH)


def _event(
    actor: AuditActor,
    tag: EventTag,
    subject: models.Model,
    team_id: uuid.UUID | None,
    data: Mapping[str, object],
) -> AuditEvent:
    return AuditEvent(
        team_id=team_id or cast("Any", subject).team_id,
        tag=tag,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:254],
        subject_kind=subject._meta.label_lower,
        subject_id=subject.pk,
        subject_label=str(subject)[:254],
        data=dict(data),
        address=actor.address,
        request_id=actor.request_id or current_request_id(),
        created_at=timezone.now(),
    )
