from __future__ import annotations

from django.db import models

from licenses.models.applications import Application
from portal.crypto.fields import EncryptedField
from teams.models import TeamOwned


class LicenseSigningKey(TeamOwned):
    """The RSA key that signs an application's license files.

    The root's signature of the public key is stored, so that it is made only once.
    """

    application = models.OneToOneField(
        Application,
        on_delete=models.CASCADE,
        related_name="license_signing_key",
        editable=False,
    )
    private_key = EncryptedField(editable=False)
    public_key = models.TextField(editable=False)
    root_id = models.CharField(max_length=32, editable=False)
    root_signature = models.TextField(editable=False)

    def __str__(self) -> str:
        return f"{self.application.slug}: {self.root_id}"
