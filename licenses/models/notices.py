from __future__ import annotations

from django.db import models
from django.db.models import Q

from licenses.models.licenses import License
from teams.models import TeamOwned


class NoticeKind(models.TextChoices):
    """What the people at a customer are told about their licenses."""

    LICENSE_ISSUED = "license_issued", "A license was issued"
    LICENSE_CHANGED = "license_changed", "A license was changed"
    LICENSE_EXPIRING = "license_expiring", "A license expires in 30, 7 or 1 days"
    LICENSE_EXPIRED = "license_expired", "A license has expired"
    LICENSE_REVOKED = "license_revoked", "A license was revoked"
    LICENSE_REINSTATED = "license_reinstated", "A license was reinstated"
    CREDENTIAL_EXPIRING = "credential_expiring", "A pull credential expires soon"
    SECRET_LEAKED = "secret_leaked", "A secret was found in public, and revoked"


class Notice(TeamOwned):
    """Something to tell the customer, stored in the transaction of the change.

    ``key`` identifies it: the same key never causes a second one. Who is told, and
    whether, is decided when it is dispatched.
    """

    license = models.ForeignKey(
        License, on_delete=models.CASCADE, related_name="notices"
    )
    kind = models.CharField(max_length=32, choices=NoticeKind.choices)
    key = models.CharField(max_length=200)
    data = models.JSONField(default=dict)
    # Set once a mail is stored for each recipient.
    dispatched_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "key"], name="licenses_notice_once")
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(dispatched_at__isnull=True),
                name="licenses_notice_waiting",
            )
        ]

    def __str__(self) -> str:
        return self.key
