from __future__ import annotations

import uuid

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

import portal.crypto.fields
import registries.models.external

# Rows of two teams cannot be linked, whatever the code does.
FORWARD = """
ALTER TABLE registries_registryshare ADD CONSTRAINT registries_share_registry_team
    FOREIGN KEY (team_id, registry_id)
    REFERENCES registries_externalregistry (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registries_registryshare ADD CONSTRAINT registries_share_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES licenses_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registries_credential ADD CONSTRAINT registries_credential_registry_team
    FOREIGN KEY (team_id, registry_id)
    REFERENCES registries_externalregistry (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registries_credentialcheck ADD CONSTRAINT registries_check_registry_team
    FOREIGN KEY (team_id, registry_id)
    REFERENCES registries_externalregistry (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registries_cacheuse ADD CONSTRAINT registries_cacheuse_registry_team
    FOREIGN KEY (team_id, registry_id)
    REFERENCES registries_externalregistry (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registries_licensetraffic ADD CONSTRAINT registries_traffic_license_team
    FOREIGN KEY (team_id, license_id)
    REFERENCES licenses_license (team_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
BACKWARD = """
ALTER TABLE registries_registryshare DROP CONSTRAINT registries_share_registry_team;
ALTER TABLE registries_registryshare DROP CONSTRAINT registries_share_application_team;
ALTER TABLE registries_credential DROP CONSTRAINT registries_credential_registry_team;
ALTER TABLE registries_credentialcheck DROP CONSTRAINT registries_check_registry_team;
ALTER TABLE registries_cacheuse DROP CONSTRAINT registries_cacheuse_registry_team;
ALTER TABLE registries_licensetraffic DROP CONSTRAINT registries_traffic_license_team;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("licenses", "0001_initial"),
        ("teams", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ExternalRegistry",
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
                (
                    "provider",
                    models.CharField(
                        choices=[
                            ("dockerhub", "dockerhub"),
                            ("other", "other"),
                            ("quay", "quay"),
                            ("ghcr", "ghcr"),
                            ("ecr", "ecr"),
                            ("gar", "gar"),
                            ("gcr", "gcr"),
                            ("acr", "acr"),
                            ("gitlab", "gitlab"),
                            ("nexus", "nexus"),
                            ("artifactory", "artifactory"),
                        ],
                        max_length=32,
                    ),
                ),
                (
                    "endpoint",
                    models.CharField(
                        max_length=255,
                        validators=[registries.models.external.validate_endpoint],
                    ),
                ),
                (
                    "slug",
                    models.CharField(
                        max_length=128,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-z0-9]+(?:[._-][a-z0-9]+)*\\Z",
                                "Use lower-case letters and digits, joined by single '.', '_' or '-'.",
                            )
                        ],
                    ),
                ),
                (
                    "trusted_realm",
                    models.CharField(
                        blank=True,
                        max_length=255,
                        validators=[registries.models.external.validate_endpoint],
                    ),
                ),
                ("shared_with_all", models.BooleanField(default=True)),
                (
                    "repository_patterns",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            max_length=255,
                            validators=[
                                django.core.validators.RegexValidator(
                                    "\\A[a-z0-9._/*?-]{1,255}\\Z",
                                    "Write a repository such as my-org/api, with * for any characters.",
                                )
                            ],
                        ),
                        default=registries.models.external.default_patterns,
                        size=50,
                    ),
                ),
                (
                    "health",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("valid", "Valid"),
                            ("rejected", "Rejected"),
                            ("repository_denied", "Repository Denied"),
                            ("rate_limited", "Rate Limited"),
                            ("unreachable", "Unreachable"),
                            ("upstream_error", "Upstream Error"),
                        ],
                        editable=False,
                        max_length=32,
                    ),
                ),
                ("health_since", models.DateTimeField(editable=False, null=True)),
                ("health_checked_at", models.DateTimeField(editable=False, null=True)),
                (
                    "suspect",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("valid", "Valid"),
                            ("rejected", "Rejected"),
                            ("repository_denied", "Repository Denied"),
                            ("rate_limited", "Rate Limited"),
                            ("unreachable", "Unreachable"),
                            ("upstream_error", "Upstream Error"),
                        ],
                        editable=False,
                        max_length=32,
                    ),
                ),
                ("failures", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "test_image",
                    models.CharField(
                        blank=True,
                        max_length=512,
                        validators=[registries.models.external.validate_test_image],
                    ),
                ),
                (
                    "next_check_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
                ("claimed_until", models.DateTimeField(editable=False, null=True)),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="teams.team",
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "external registries",
                "indexes": [
                    models.Index(
                        fields=["team", "endpoint"], name="registries_by_endpoint"
                    ),
                    models.Index(
                        fields=["next_check_at"],
                        include=("endpoint", "team", "claimed_until", "id"),
                        name="registries_due",
                    ),
                    models.Index(
                        condition=models.Q(("claimed_until__isnull", False)),
                        fields=["claimed_until"],
                        include=("endpoint", "team"),
                        name="registries_claimed",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("team", "slug"),
                        name="registries_externalregistry_slug",
                        violation_error_message="Another registry of the team has this slug.",
                    ),
                    models.UniqueConstraint(
                        fields=("team", "id"), name="registries_externalregistry_team"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "provider__in",
                                [
                                    "dockerhub",
                                    "other",
                                    "quay",
                                    "ghcr",
                                    "ecr",
                                    "gar",
                                    "gcr",
                                    "acr",
                                    "gitlab",
                                    "nexus",
                                    "artifactory",
                                ],
                            )
                        ),
                        name="registries_externalregistry_provider",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("repository_patterns", []), _negated=True),
                        name="registries_externalregistry_patterns",
                        violation_error_message="Allow at least one pattern; * allows all.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Credential",
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
                ("auth_type", models.CharField(max_length=32)),
                ("username", portal.crypto.fields.EncryptedField()),
                ("secret", portal.crypto.fields.EncryptedField()),
                ("active", models.BooleanField(default=False)),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
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
                (
                    "registry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="credentials",
                        to="registries.externalregistry",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("active", True)),
                        fields=("registry",),
                        name="registries_credential_one_active",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PullEvent",
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
                ("hour", models.DateTimeField()),
                ("application_slug", models.CharField(max_length=64)),
                ("holder", models.CharField(max_length=80)),
                ("credential_id", models.UUIDField(null=True)),
                (
                    "credential_name",
                    models.CharField(blank=True, db_default="", max_length=100),
                ),
                ("registry_id", models.UUIDField(null=True)),
                ("registry_slug", models.CharField(blank=True, max_length=128)),
                ("repository", models.CharField(max_length=512)),
                ("reference", models.CharField(max_length=160)),
                ("outcome", models.CharField(max_length=32)),
                ("count", models.PositiveBigIntegerField()),
                ("stale", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("last_at", models.DateTimeField()),
                (
                    "license",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pulls",
                        to="licenses.license",
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
                        fields=["team", "-last_at", "-id"], name="registries_pull_page"
                    ),
                    models.Index(
                        fields=["license", "-last_at"],
                        include=("team",),
                        name="registries_pull_license",
                    ),
                    models.Index(
                        fields=["registry_id", "-last_at"],
                        include=("team", "outcome", "count"),
                        name="registries_pull_registry",
                    ),
                    models.Index(
                        fields=["team", "application_slug", "-last_at", "-id"],
                        name="registries_pull_application",
                    ),
                    models.Index(
                        condition=models.Q(("outcome", "allowed"), _negated=True),
                        fields=["team", "-last_at", "-id"],
                        include=(
                            "hour",
                            "outcome",
                            "license",
                            "holder",
                            "credential_name",
                            "application_slug",
                            "registry_id",
                            "repository",
                            "reference",
                            "count",
                        ),
                        name="registries_pull_refusals",
                    ),
                    models.Index(
                        condition=models.Q(("outcome", "allowed"), _negated=True),
                        fields=["team", "outcome", "-last_at", "-id"],
                        name="registries_pull_reason",
                    ),
                    models.Index(
                        fields=["team", "repository", "reference"],
                        name="registries_pull_repository",
                        opclasses=[
                            *("uuid_ops", "varchar_pattern_ops", "varchar_pattern_ops")
                        ],
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "team",
                            "hour",
                            "holder",
                            "application_slug",
                            "registry_id",
                            "repository",
                            "reference",
                            "outcome",
                        ),
                        name="registries_pullevent_bucket",
                        nulls_distinct=False,
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RegistryShare",
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
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="registry_shares",
                        to="licenses.application",
                    ),
                ),
                (
                    "registry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="shares",
                        to="registries.externalregistry",
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("registry", "application"),
                        name="registries_registryshare_once",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="externalregistry",
            name="applications",
            field=models.ManyToManyField(
                related_name="registries",
                through="registries.RegistryShare",
                to="licenses.application",
            ),
        ),
        migrations.CreateModel(
            name="CredentialCheck",
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
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("valid", "Valid"),
                            ("rejected", "Rejected"),
                            ("repository_denied", "Repository Denied"),
                            ("rate_limited", "Rate Limited"),
                            ("unreachable", "Unreachable"),
                            ("upstream_error", "Upstream Error"),
                        ],
                        max_length=32,
                    ),
                ),
                ("http_status", models.PositiveSmallIntegerField(null=True)),
                ("latency_ms", models.PositiveIntegerField()),
                ("detail", models.CharField(max_length=500)),
                (
                    "credential",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="registries.credential",
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
                (
                    "registry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="checks",
                        to="registries.externalregistry",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["registry", "-created_at", "-id"],
                        name="registries_check_page",
                    ),
                    models.Index(
                        fields=["created_at"],
                        include=("outcome",),
                        name="registries_check_age",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PullLog",
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
                ("inode", models.PositiveBigIntegerField(default=0)),
                ("offset", models.PositiveBigIntegerField(default=0)),
                ("beginning", models.CharField(blank=True, max_length=64)),
                ("malformed_lines", models.PositiveBigIntegerField(default=0)),
                (
                    "read_at",
                    models.DateTimeField(default=django.utils.timezone.now),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PullHour",
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
                ("hour", models.DateTimeField()),
                ("allowed", models.PositiveBigIntegerField(default=0)),
                ("refused", models.PositiveBigIntegerField(default=0)),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("team", "hour"), name="registries_pullhour_hour"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CacheUse",
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
                ("day", models.DateField()),
                ("hits", models.PositiveBigIntegerField(default=0)),
                ("misses", models.PositiveBigIntegerField(default=0)),
                ("bytes", models.PositiveBigIntegerField(default=0)),
                ("evictions", models.PositiveBigIntegerField(default=0)),
                ("stale_pulls", models.PositiveBigIntegerField(default=0)),
                (
                    "registry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="cache_use",
                        to="registries.externalregistry",
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
                    models.Index(fields=["day"], name="registries_cacheuse_age")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("registry", "day"), name="registries_cacheuse_day"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LicenseTraffic",
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
                ("day", models.DateField()),
                ("bytes", models.PositiveBigIntegerField(default=0)),
                (
                    "license",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="traffic",
                        to="licenses.license",
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
                    models.Index(fields=["day"], name="registries_traffic_age")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("license", "day"), name="registries_licensetraffic_day"
                    )
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
        pgtrigger.migrations.AddTrigger(
            model_name="externalregistry",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."endpoint" IS DISTINCT FROM (NEW."endpoint") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."provider" IS DISTINCT FROM (NEW."provider") OR OLD."repository_patterns" IS DISTINCT FROM (NEW."repository_patterns") OR OLD."shared_with_all" IS DISTINCT FROM (NEW."shared_with_all") OR OLD."slug" IS DISTINCT FROM (NEW."slug") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id") OR OLD."test_image" IS DISTINCT FROM (NEW."test_image") OR OLD."trusted_realm" IS DISTINCT FROM (NEW."trusted_realm"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="4c69027d01019f52589d4fccc9a1574d25bb5270",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_c196a",
                    table="registries_externalregistry",
                    when="BEFORE",
                ),
            ),
        ),
    ]
