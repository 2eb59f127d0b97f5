from __future__ import annotations

import uuid

import pgtrigger
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Upper


class AuditEvent(models.Model):
    """One change of state: who did what to which object, and from where.

    Append-only: the database refuses UPDATE, DELETE and TRUNCATE. Subject and actor
    are stored by ID and label, so that an event outlives them.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey("teams.Team", on_delete=models.PROTECT, related_name="+")
    tag = models.CharField(max_length=64)
    actor_kind = models.CharField(max_length=32)
    actor_id = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=254)
    subject_kind = models.CharField(max_length=64)
    subject_id = models.UUIDField()
    subject_label = models.CharField(max_length=254)
    data = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["team", "-created_at", "-id"], name="audit_event_page"
            ),
            models.Index(fields=["team", "subject_id"], name="audit_event_subject"),
            models.Index(
                fields=["team", "tag", "-created_at", "-id"], name="audit_event_tag"
            ),
            models.Index(
                fields=["team", "actor_id", "-created_at", "-id"],
                name="audit_event_actor",
            ),
            # Upper matches the SQL of icontains, which searches use.
            GinIndex(
                OpClass(Upper("actor_label"), name="gin_trgm_ops"),
                name="audit_event_actor_search",
            ),
            GinIndex(
                OpClass(Upper("subject_label"), name="gin_trgm_ops"),
                name="audit_event_subject_search",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="append_only", operation=pgtrigger.Update | pgtrigger.Delete
            ),
            pgtrigger.Trigger(
                name="never_emptied",
                level=pgtrigger.Statement,
                when=pgtrigger.Before,
                operation=pgtrigger.Truncate,
                func="RAISE EXCEPTION 'Cannot truncate the audit log';",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tag} {self.subject_label}"
