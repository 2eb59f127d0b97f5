from __future__ import annotations

import uuid

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

# Rows of two teams cannot be linked, nor a tag to another repository's manifest.
FORWARD = """
ALTER TABLE images_imagerepository
    ADD CONSTRAINT images_imagerepository_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES licenses_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE images_imagemanifest
    ADD CONSTRAINT images_imagemanifest_repository_team
    FOREIGN KEY (team_id, repository_id)
    REFERENCES images_imagerepository (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE images_imagetag
    ADD CONSTRAINT images_imagetag_manifest_team
    FOREIGN KEY (team_id, repository_id, manifest_id)
    REFERENCES images_imagemanifest (team_id, repository_id, id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE images_imageblob
    ADD CONSTRAINT images_imageblob_manifest_team
    FOREIGN KEY (team_id, repository_id, manifest_id)
    REFERENCES images_imagemanifest (team_id, repository_id, id)
    DEFERRABLE INITIALLY DEFERRED;
"""
BACKWARD = """
ALTER TABLE images_imageblob DROP CONSTRAINT images_imageblob_manifest_team;
ALTER TABLE images_imagetag DROP CONSTRAINT images_imagetag_manifest_team;
ALTER TABLE images_imagemanifest
    DROP CONSTRAINT images_imagemanifest_repository_team;
ALTER TABLE images_imagerepository
    DROP CONSTRAINT images_imagerepository_application_team;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("licenses", "0001_initial"),
        ("teams", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="RegistryNotification",
            fields=[
                (
                    "id",
                    models.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("received_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="ImageRepository",
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
                ("name", models.CharField(max_length=255)),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="image_repositories",
                        to="licenses.application",
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
                "verbose_name_plural": "image repositories",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("application", "name"),
                        name="images_imagerepository_name",
                    ),
                    models.UniqueConstraint(
                        fields=("team", "id"), name="images_imagerepository_team"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ImageManifest",
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
                ("digest", models.CharField(max_length=140)),
                ("media_type", models.CharField(blank=True, max_length=255)),
                ("size", models.PositiveBigIntegerField(null=True)),
                (
                    "platforms",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100),
                        default=list,
                        size=None,
                    ),
                ),
                (
                    "children",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=140),
                        default=list,
                        size=None,
                    ),
                ),
                ("pushed_at", models.DateTimeField()),
                ("pushed_by", models.CharField(blank=True, max_length=80)),
                ("last_pulled_at", models.DateTimeField(null=True)),
                ("confirmed_at", models.DateTimeField(null=True)),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="teams.team",
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="manifests",
                        to="images.imagerepository",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["confirmed_at"], name="images_manifest_asked"),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["children"], name="images_manifest_children"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("repository", "digest"),
                        name="images_imagemanifest_digest",
                    ),
                    models.UniqueConstraint(
                        fields=("team", "repository", "id"),
                        name="images_imagemanifest_team",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ImageBlob",
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
                ("digest", models.CharField(max_length=140)),
                ("size", models.PositiveBigIntegerField()),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="teams.team",
                    ),
                ),
                (
                    "manifest",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="blobs",
                        to="images.imagemanifest",
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="images.imagerepository",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("manifest", "digest"), name="images_imageblob_once"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ImageTag",
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
                ("name", models.CharField(max_length=128)),
                ("pushed_at", models.DateTimeField()),
                ("pushed_by", models.CharField(blank=True, max_length=80)),
                ("last_pulled_at", models.DateTimeField(null=True)),
                ("confirmed_at", models.DateTimeField(null=True)),
                (
                    "manifest",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tags",
                        to="images.imagemanifest",
                    ),
                ),
                (
                    "repository",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tags",
                        to="images.imagerepository",
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
                "indexes": [
                    models.Index(
                        fields=["repository", "-pushed_at", "-id"],
                        name="images_tag_page",
                    ),
                    models.Index(fields=["confirmed_at"], name="images_tag_asked"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("repository", "name"), name="images_imagetag_name"
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
