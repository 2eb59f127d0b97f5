from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Pulls are counted while the indexes are built.
    atomic = False
    dependencies = [("registries", "0002_team_foreign_keys")]

    operations = [
        AddIndexConcurrently(
            "pullevent",
            models.Index(
                fields=["team", "application_slug", "-last_at", "-id"],
                name="registries_pull_application",
            ),
        ),
        AddIndexConcurrently(
            "pullevent",
            models.Index(
                fields=["team", "hour"],
                include=("outcome", "count"),
                name="registries_pull_hour",
            ),
        ),
        AddIndexConcurrently(
            "pullevent",
            models.Index(
                fields=["team", "-last_at", "-id"],
                include=(
                    "outcome",
                    "license",
                    "holder",
                    "application_slug",
                    "repository",
                    "reference",
                    "count",
                ),
                condition=~models.Q(outcome="allowed"),
                name="registries_pull_refused",
            ),
        ),
        AddIndexConcurrently(
            "pullevent",
            models.Index(
                fields=["team", "outcome", "-last_at", "-id"],
                condition=~models.Q(outcome="allowed"),
                name="registries_pull_reason",
            ),
        ),
        AddIndexConcurrently(
            "pullevent",
            models.Index(
                fields=["team", "repository"],
                opclasses=["uuid_ops", "varchar_pattern_ops"],
                name="registries_pull_repository",
            ),
        ),
    ]
