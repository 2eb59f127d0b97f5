from __future__ import annotations

import uuid

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import customers.models
import teams.models.teams

# Rows of two teams cannot be linked, whatever the code does.
FORWARD = """
ALTER TABLE customers_contact ADD CONSTRAINT customers_contact_customer_team
    FOREIGN KEY (team_id, customer_id)
    REFERENCES licenses_customer (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE customers_customerlink ADD CONSTRAINT customers_customerlink_contact_team
    FOREIGN KEY (team_id, contact_id)
    REFERENCES customers_contact (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE customers_customerlink ADD CONSTRAINT customers_customerlink_license_team
    FOREIGN KEY (team_id, license_id)
    REFERENCES licenses_license (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE customers_unsubscription
    ADD CONSTRAINT customers_unsubscription_contact_team
    FOREIGN KEY (team_id, contact_id)
    REFERENCES customers_contact (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE customers_listedimage
    ADD CONSTRAINT customers_listedimage_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES licenses_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
BACKWARD = """
ALTER TABLE customers_listedimage
    DROP CONSTRAINT customers_listedimage_application_team;
ALTER TABLE customers_unsubscription
    DROP CONSTRAINT customers_unsubscription_contact_team;
ALTER TABLE customers_customerlink DROP CONSTRAINT customers_customerlink_license_team;
ALTER TABLE customers_customerlink DROP CONSTRAINT customers_customerlink_contact_team;
ALTER TABLE customers_contact DROP CONSTRAINT customers_contact_customer_team;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("licenses", "0001_initial"),
        ("teams", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Contact",
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
                ("email", teams.models.teams.LowerCaseEmailField(max_length=254)),
                (
                    "name",
                    models.CharField(
                        blank=True,
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
                    "role",
                    models.CharField(
                        choices=[
                            ("administrator", "Administrator"),
                            ("reader", "Reader"),
                        ],
                        max_length=16,
                    ),
                ),
                ("invited_by", models.CharField(editable=False, max_length=254)),
                ("last_seen_at", models.DateTimeField(editable=False, null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="contacts",
                        to="licenses.customer",
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
        ),
        migrations.CreateModel(
            name="CustomerLink",
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
                    "digest",
                    models.CharField(editable=False, max_length=100, unique=True),
                ),
                (
                    "message",
                    models.CharField(
                        blank=True,
                        max_length=300,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u2028-\\u202e\\u2060\\u2066-\\u2069\\ufeff]*\\Z",
                                "Control characters are not allowed.",
                            )
                        ],
                    ),
                ),
                ("sent_by", models.CharField(editable=False, max_length=254)),
                ("expires_at", models.DateTimeField(editable=False)),
                ("opened_at", models.DateTimeField(editable=False, null=True)),
                ("used_at", models.DateTimeField(editable=False, null=True)),
                ("withdrawn_at", models.DateTimeField(editable=False, null=True)),
                (
                    "contact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="links",
                        to="customers.contact",
                    ),
                ),
                (
                    "license",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
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
        ),
        migrations.CreateModel(
            name="VendorLook",
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
                    "display_name",
                    models.CharField(
                        blank=True,
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
                    "accent",
                    models.CharField(
                        blank=True,
                        max_length=7,
                        validators=[customers.models.validate_color],
                    ),
                ),
                ("support_email", models.EmailField(blank=True, max_length=254)),
                (
                    "support_url",
                    models.CharField(
                        blank=True,
                        max_length=500,
                        validators=[
                            django.core.validators.URLValidator(
                                message="Enter an address that begins with https://.",
                                schemes=["https", "http"],
                            )
                        ],
                    ),
                ),
                ("reply_to", models.EmailField(blank=True, max_length=254)),
                ("logo", models.BinaryField(null=True)),
                (
                    "logo_type",
                    models.CharField(blank=True, editable=False, max_length=16),
                ),
                (
                    "logo_digest",
                    models.CharField(
                        blank=True, db_index=True, editable=False, max_length=64
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
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(fields=["email"], name="customers_contact_email"),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(
                fields=("customer", "email"),
                name="customers_contact_once",
                violation_error_message="This person is already a contact.",
            ),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(
                fields=("team", "id"), name="customers_contact_team"
            ),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["administrator", "reader"])),
                name="customers_contact_role",
            ),
        ),
        migrations.AddIndex(
            model_name="customerlink",
            index=models.Index(
                fields=["contact", "-created_at", "-id"], name="customers_link_page"
            ),
        ),
        migrations.AddConstraint(
            model_name="vendorlook",
            constraint=models.UniqueConstraint(
                fields=("team",), name="customers_vendorlook_team"
            ),
        ),
        migrations.AddConstraint(
            model_name="vendorlook",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("logo__isnull", True), ("logo_digest", ""), ("logo_type", "")
                    ),
                    models.Q(
                        ("logo__isnull", False),
                        ("logo_type__in", ["image/png", "image/jpeg"]),
                        models.Q(("logo_digest", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="customers_vendorlook_logo",
            ),
        ),
        migrations.CreateModel(
            name="MailChoice",
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
                    "kinds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32),
                        blank=True,
                        size=None,
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
                        fields=("team",), name="customers_mailchoice_team"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Unsubscription",
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
                    "kind",
                    models.CharField(
                        choices=[
                            ("license_issued", "A license was issued"),
                            ("license_changed", "A license was changed"),
                            (
                                "license_expiring",
                                "A license expires in 30, 7 or 1 days",
                            ),
                            ("license_expired", "A license has expired"),
                            ("license_revoked", "A license was revoked"),
                            ("license_reinstated", "A license was reinstated"),
                            ("credential_expiring", "A pull credential expires soon"),
                            (
                                "secret_leaked",
                                "A secret was found in public, and revoked",
                            ),
                        ],
                        max_length=32,
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="unsubscriptions",
                        to="customers.contact",
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
                        fields=("contact", "kind"),
                        name="customers_unsubscription_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ListedImage",
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
                ("position", models.PositiveSmallIntegerField()),
                ("name", models.CharField(max_length=500)),
                (
                    "description",
                    models.CharField(
                        blank=True,
                        max_length=200,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u2028-\\u202e\\u2060\\u2066-\\u2069\\ufeff]*\\Z",
                                "Control characters are not allowed.",
                            )
                        ],
                    ),
                ),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="listed_images",
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("application", "position"),
                        name="customers_listedimage_position",
                    ),
                    models.UniqueConstraint(
                        fields=("application", "name"),
                        name="customers_listedimage_once",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
        pgtrigger.migrations.AddTrigger(
            model_name="contact",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."customer_id" IS DISTINCT FROM (NEW."customer_id") OR OLD."email" IS DISTINCT FROM (NEW."email") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."invited_by" IS DISTINCT FROM (NEW."invited_by") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."role" IS DISTINCT FROM (NEW."role") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="536276cd599fcf3baa2cef89402363333d1024f6",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_d39aa",
                    table="customers_contact",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="mailchoice",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."kinds" IS DISTINCT FROM (NEW."kinds") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="27ac87135ea00a1a09563cbb2c98d1c42a933a13",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_5d745",
                    table="customers_mailchoice",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="vendorlook",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."accent" IS DISTINCT FROM (NEW."accent") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."display_name" IS DISTINCT FROM (NEW."display_name") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."logo" IS DISTINCT FROM (NEW."logo") OR OLD."logo_digest" IS DISTINCT FROM (NEW."logo_digest") OR OLD."logo_type" IS DISTINCT FROM (NEW."logo_type") OR OLD."reply_to" IS DISTINCT FROM (NEW."reply_to") OR OLD."support_email" IS DISTINCT FROM (NEW."support_email") OR OLD."support_url" IS DISTINCT FROM (NEW."support_url") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="7374c06f92c06091b3cc05f0008a06977a119dd6",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_d853b",
                    table="customers_vendorlook",
                    when="BEFORE",
                ),
            ),
        ),
    ]
