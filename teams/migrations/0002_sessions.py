from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import portal.crypto.fields
import teams.models.sessions

# The tables of earlier versions held the keys in clear.
DROP_CLEAR_KEYS = """
DROP TABLE IF EXISTS usersessions_usersession;
DROP TABLE IF EXISTS django_session;
"""


class Migration(migrations.Migration):
    dependencies = [("teams", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Session",
            fields=[
                ("session_data", portal.crypto.fields.EncryptedField()),
                (
                    "expire_date",
                    models.DateTimeField(db_index=True, verbose_name="expire date"),
                ),
                (
                    "session_key",
                    teams.models.sessions.SessionKeyField(
                        max_length=64, primary_key=True, serialize=False
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sessions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "session",
                "verbose_name_plural": "sessions",
                "abstract": False,
            },
        ),
        migrations.RunSQL(DROP_CLEAR_KEYS, migrations.RunSQL.noop),
    ]
