from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from portal.crypto.fields import EncryptedField


class StoredMail(models.Model):
    """A mail about an account that could not be sent at once; a worker sends it.

    ``message`` is JSON, encrypted because it may contain a link that resets a password.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = EncryptedField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    due_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return str(self.pk)
