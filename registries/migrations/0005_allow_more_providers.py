from __future__ import annotations

from django.db import migrations, models

NAMES = [
    *("dockerhub", "other", "quay", "ghcr", "ecr", "gar", "gcr", "acr"),
    *("gitlab", "nexus", "artifactory"),
]


class Migration(migrations.Migration):
    dependencies = [("registries", "0004_plan_checks")]

    operations = [
        migrations.RemoveConstraint(
            model_name="externalregistry", name="registries_externalregistry_provider"
        ),
        migrations.AlterField(
            model_name="externalregistry",
            name="provider",
            field=models.CharField(
                choices=[(name, name) for name in NAMES], max_length=32
            ),
        ),
        migrations.AddConstraint(
            model_name="externalregistry",
            constraint=models.CheckConstraint(
                condition=models.Q(provider__in=NAMES),
                name="registries_externalregistry_provider",
            ),
        ),
    ]
