from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Protocol

from django.db import models
from django.utils import timezone

from audit.models import AuditEvent
from audit.tags import EventTag


class AuditActor(Protocol):
    """Whoever acts: a person, a service account, a token or Berth itself."""

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
    *,
    actor: AuditActor,
    tag: EventTag,
    team_id: uuid.UUID,
    subject: models.Model,
    data: Mapping[str, object] | None = None,
) -> AuditEvent:
    """Write one audit event, in the caller's transaction.

    ``data`` names its values one by one and never holds a secret: whoever may read
    the audit log reads all of it.
    """
    return AuditEvent.objects.create(
        team_id=team_id,
        tag=tag,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:254],
        subject_kind=subject._meta.label_lower,
        subject_id=subject.pk,
        subject_label=str(subject)[:254],
        data=dict(data or {}),
        address=actor.address,
        request_id=actor.request_id,
        created_at=timezone.now(),
    )
