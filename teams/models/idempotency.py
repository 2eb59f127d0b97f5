from __future__ import annotations

from django.db import models

from portal.crypto.fields import EncryptedField
from teams.models.teams import TeamOwned


class IdempotencyRecord(TeamOwned):
    """The response to a creating request, stored for a day for retries.

    ``body`` is the response of the REST API, encrypted because it may contain a secret
    that is shown once; for a form on a page it is the address of what was created.
    """

    actor_kind = models.CharField(max_length=32)
    actor_id = models.UUIDField(null=True)
    # The API token that was used; null for a browser session.
    credential_id = models.UUIDField(null=True)
    key = models.CharField(max_length=255)
    request_digest = models.CharField(max_length=100)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = EncryptedField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "actor_kind", "actor_id", "credential_id", "key"],
                nulls_distinct=False,
                name="teams_idempotencyrecord_key",
            )
        ]
        indexes = [models.Index(fields=["created_at"], name="teams_idempotency_age")]

    def __str__(self) -> str:
        return self.key
