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

import alerts.models
import portal.crypto.fields

# Rows of two teams cannot be linked, whatever the code does.
FORWARD = """
ALTER TABLE alerts_delivery ADD CONSTRAINT alerts_delivery_alert_team
    FOREIGN KEY (team_id, alert_id)
    REFERENCES alerts_alert (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE alerts_delivery ADD CONSTRAINT alerts_delivery_webhook_of_team
    FOREIGN KEY (team_id, webhook_id)
    REFERENCES alerts_webhook (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE alerts_subscription ADD CONSTRAINT alerts_subscription_member_team
    FOREIGN KEY (team_id, membership_id)
    REFERENCES teams_membership (team_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
BACKWARD = """
ALTER TABLE alerts_delivery DROP CONSTRAINT alerts_delivery_alert_team;
ALTER TABLE alerts_delivery DROP CONSTRAINT alerts_delivery_webhook_of_team;
ALTER TABLE alerts_subscription DROP CONSTRAINT alerts_subscription_member_team;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("teams", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Alert",
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
                ("event", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=200)),
                ("subject_id", models.UUIDField()),
                ("subject_label", models.CharField(max_length=254)),
                ("message", models.CharField(max_length=1000)),
                ("data", models.JSONField(default=dict)),
                (
                    "is_for_programs",
                    models.BooleanField(default=False, editable=False),
                ),
                ("dispatched_at", models.DateTimeField(null=True)),
                (
                    "acknowledged_at",
                    models.DateTimeField(editable=False, null=True),
                ),
                (
                    "acknowledged_by",
                    models.CharField(blank=True, editable=False, max_length=254),
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
                        condition=models.Q(("dispatched_at__isnull", True)),
                        fields=["created_at"],
                        name="alerts_alert_waiting",
                    ),
                    models.Index(
                        condition=models.Q(("is_for_programs", False)),
                        fields=["team", "-created_at", "-id"],
                        name="alerts_page",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("acknowledged_at__isnull", True),
                            ("is_for_programs", False),
                        ),
                        fields=["team", "-created_at", "-id"],
                        name="alerts_unacknowledged",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("acknowledged_at__isnull", True),
                                ("acknowledged_by", ""),
                            ),
                            models.Q(
                                ("acknowledged_at__isnull", False),
                                models.Q(("acknowledged_by", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="alerts_alert_acknowledged_by",
                    ),
                    models.UniqueConstraint(
                        fields=("team", "key"), name="alerts_alert_once"
                    ),
                    models.UniqueConstraint(
                        fields=("team", "id"), name="alerts_alert_team"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
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
                    "events",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64),
                        blank=True,
                        size=None,
                    ),
                ),
                (
                    "membership",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alert_subscription",
                        to="teams.membership",
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
        migrations.CreateModel(
            name="Webhook",
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
                    "name",
                    models.CharField(
                        max_length=150,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u2028-\\u202e\\u2060\\u2066-\\u2069\\ufeff]*\\Z",
                                "Control characters are not allowed.",
                            )
                        ],
                    ),
                ),
                (
                    "url",
                    models.CharField(
                        max_length=2000, validators=[alerts.models.validate_webhook_url]
                    ),
                ),
                (
                    "events",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), size=None
                    ),
                ),
                ("secret", portal.crypto.fields.EncryptedField(editable=False)),
                (
                    "previous_secret",
                    portal.crypto.fields.EncryptedField(
                        blank=True, editable=False, null=True
                    ),
                ),
                (
                    "previous_secret_until",
                    models.DateTimeField(editable=False, null=True),
                ),
                (
                    "failures",
                    models.PositiveSmallIntegerField(default=0, editable=False),
                ),
                ("disabled_at", models.DateTimeField(editable=False, null=True)),
                (
                    "disabled_reason",
                    models.CharField(blank=True, editable=False, max_length=300),
                ),
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
                    "updated_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("team", "name"),
                        name="alerts_webhook_name",
                        violation_error_message="Another webhook has this name.",
                    ),
                    models.UniqueConstraint(
                        fields=("team", "id"), name="alerts_webhook_team"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("events", []), _negated=True),
                        name="alerts_webhook_events",
                        violation_error_message="Choose at least one event.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
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
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("delivered", "Delivered"),
                            ("failed", "Failed"),
                        ],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "is_claimed",
                    models.BooleanField(
                        db_default=False, default=False, editable=False
                    ),
                ),
                ("finished_at", models.DateTimeField(null=True)),
                ("http_status", models.PositiveSmallIntegerField(null=True)),
                ("detail", models.CharField(blank=True, max_length=300)),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="alerts.alert",
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
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "webhook",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="alerts.webhook",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "pending")),
                        fields=["due_at"],
                        name="alerts_delivery_due",
                    ),
                    models.Index(
                        condition=models.Q(("finished_at__isnull", False)),
                        fields=["finished_at"],
                        name="alerts_delivery_finished",
                    ),
                    models.Index(
                        models.F("webhook"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        name="alerts_delivery_page",
                    ),
                    models.Index(
                        condition=models.Q(("is_claimed", True), ("state", "pending")),
                        fields=["due_at"],
                        name="alerts_delivery_claimed",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("webhook__isnull", False)),
                        fields=("alert", "webhook"),
                        name="alerts_delivery_webhook_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("user__isnull", False)),
                        fields=("alert", "user"),
                        name="alerts_delivery_user_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("user__isnull", False), ("webhook__isnull", True)
                            ),
                            models.Q(
                                ("user__isnull", True), ("webhook__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="alerts_delivery_one_recipient",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
        pgtrigger.migrations.AddTrigger(
            model_name="webhook",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."created_by_id" IS DISTINCT FROM (NEW."created_by_id") OR OLD."disabled_at" IS DISTINCT FROM (NEW."disabled_at") OR OLD."disabled_reason" IS DISTINCT FROM (NEW."disabled_reason") OR OLD."events" IS DISTINCT FROM (NEW."events") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."previous_secret_until" IS DISTINCT FROM (NEW."previous_secret_until") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id") OR OLD."url" IS DISTINCT FROM (NEW."url"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="e4bfddec1ec9187a0e2554a2c59212df1400a821",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_d0e22",
                    table="alerts_webhook",
                    when="BEFORE",
                ),
            ),
        ),
    ]
