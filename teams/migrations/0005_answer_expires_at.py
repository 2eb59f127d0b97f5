from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("teams", "0004_lower_case_email"),
    ]

    operations = [
        migrations.AddField(
            model_name="idempotencyrecord",
            name="answer_expires_at",
            field=models.DateTimeField(null=True),
        ),
    ]
