from __future__ import annotations

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import portal.crypto.fields

# A key and its application cannot be of two teams, whatever the code does.
FORWARD = """
ALTER TABLE licenses_licensesigningkey
    ADD CONSTRAINT licenses_licensesigningkey_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES teams_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
BACKWARD = """
ALTER TABLE licenses_licensesigningkey
    DROP CONSTRAINT licenses_licensesigningkey_application_team;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("licenses", "0004_search_indexes"),
        ("teams", "0007_retired_slug"),
    ]

    operations = [
        migrations.CreateModel(
            name="LicenseSigningKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("private_key", portal.crypto.fields.EncryptedField(editable=False)),
                ("public_key", models.TextField(editable=False)),
                ("root_id", models.CharField(editable=False, max_length=32)),
                ("root_signature", models.TextField(editable=False)),
                (
                    "application",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="license_signing_key",
                        to="teams.application",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="teams.team",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
