from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registries", "0005_allow_more_providers")]

    operations = [
        migrations.RemoveIndex(model_name="externalregistry", name="registries_due"),
        migrations.AddIndex(
            model_name="externalregistry",
            index=models.Index(
                fields=["next_check_at"],
                include=("endpoint", "claimed_until", "id"),
                name="registries_due",
            ),
        ),
        migrations.AddIndex(
            model_name="credentialcheck",
            index=models.Index(
                fields=["created_at"],
                include=("outcome",),
                name="registries_check_age",
            ),
        ),
    ]
