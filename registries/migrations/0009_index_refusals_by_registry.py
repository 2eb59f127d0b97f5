from __future__ import annotations

from django.contrib.postgres.operations import (
    AddIndexConcurrently,
    RemoveIndexConcurrently,
)
from django.db import migrations, models


class Migration(migrations.Migration):
    # Pulls are counted while the index is built.
    atomic = False
    dependencies = [("registries", "0008_image_team_foreign_keys")]

    operations = [
        AddIndexConcurrently(
            "pullevent",
            models.Index(
                fields=["team", "-last_at", "-id"],
                include=(
                    "outcome",
                    "license",
                    "holder",
                    "application_slug",
                    "registry_id",
                    "repository",
                    "reference",
                    "count",
                ),
                condition=~models.Q(outcome="allowed"),
                name="registries_pull_refusals",
            ),
        ),
        RemoveIndexConcurrently("pullevent", "registries_pull_refused"),
    ]
