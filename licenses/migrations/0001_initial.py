from __future__ import annotations

import datetime as dt
import uuid

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.functions.text
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models

import licenses.models.credentials
import licenses.models.licenses
import portal.crypto.fields

# A license, its customer and its application cannot be of two teams, and its channel
# cannot be another application's, whatever the code does.
FORWARD = """
ALTER TABLE licenses_channel ADD CONSTRAINT licenses_channel_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES licenses_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_licensefield ADD CONSTRAINT licenses_licensefield_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES licenses_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_license ADD CONSTRAINT licenses_license_customer_team
    FOREIGN KEY (team_id, customer_id)
    REFERENCES licenses_customer (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_license ADD CONSTRAINT licenses_license_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES licenses_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_license ADD CONSTRAINT licenses_license_channel_application
    FOREIGN KEY (application_id, channel_id)
    REFERENCES licenses_channel (application_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_licensesigningkey
    ADD CONSTRAINT licenses_licensesigningkey_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES licenses_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_pullcredential ADD CONSTRAINT licenses_pullcredential_license_team
    FOREIGN KEY (team_id, license_id)
    REFERENCES licenses_license (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_pullcredential ADD CONSTRAINT licenses_pullcredential_same_license
    FOREIGN KEY (license_id, replaced_by_id)
    REFERENCES licenses_pullcredential (license_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_pullcredential
    ADD CONSTRAINT licenses_pullcredential_made_with_same_license
    FOREIGN KEY (license_id, created_with_id)
    REFERENCES licenses_pullcredential (license_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_pullcredentialnetwork
    ADD CONSTRAINT licenses_pullcredentialnetwork_credential_team
    FOREIGN KEY (team_id, credential_id)
    REFERENCES licenses_pullcredential (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_trustedidentity
    ADD CONSTRAINT licenses_trustedidentity_license_team
    FOREIGN KEY (team_id, license_id)
    REFERENCES licenses_license (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_identityworkload
    ADD CONSTRAINT licenses_identityworkload_identity_team
    FOREIGN KEY (team_id, identity_id)
    REFERENCES licenses_trustedidentity (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_notice ADD CONSTRAINT licenses_notice_license_team
    FOREIGN KEY (team_id, license_id)
    REFERENCES licenses_license (team_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
BACKWARD = """
ALTER TABLE licenses_notice DROP CONSTRAINT licenses_notice_license_team;
ALTER TABLE licenses_identityworkload
    DROP CONSTRAINT licenses_identityworkload_identity_team;
ALTER TABLE licenses_trustedidentity
    DROP CONSTRAINT licenses_trustedidentity_license_team;
ALTER TABLE licenses_pullcredentialnetwork
    DROP CONSTRAINT licenses_pullcredentialnetwork_credential_team;
ALTER TABLE licenses_pullcredential
    DROP CONSTRAINT licenses_pullcredential_made_with_same_license;
ALTER TABLE licenses_pullcredential
    DROP CONSTRAINT licenses_pullcredential_same_license;
ALTER TABLE licenses_pullcredential
    DROP CONSTRAINT licenses_pullcredential_license_team;
ALTER TABLE licenses_licensefield DROP CONSTRAINT licenses_licensefield_application_team;
ALTER TABLE licenses_license DROP CONSTRAINT licenses_license_customer_team;
ALTER TABLE licenses_license DROP CONSTRAINT licenses_license_application_team;
ALTER TABLE licenses_license DROP CONSTRAINT licenses_license_channel_application;
ALTER TABLE licenses_licensesigningkey
    DROP CONSTRAINT licenses_licensesigningkey_application_team;
ALTER TABLE licenses_channel DROP CONSTRAINT licenses_channel_application_team;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("teams", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        TrigramExtension(),
        migrations.CreateModel(
            name="Application",
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
                    "slug",
                    models.CharField(
                        error_messages={
                            "unique": "This slug is taken. Choose another one."
                        },
                        max_length=64,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-z0-9]+(?:[._-][a-z0-9]+)*\\Z",
                                "Use lower-case letters and digits, joined by single '.', '_' or '-'.",
                            )
                        ],
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
                (
                    "archived_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("team", "id"), name="licenses_application_team"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Channel",
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
                    "slug",
                    models.CharField(
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-z0-9]+(?:[._-][a-z0-9]+)*\\Z",
                                "Use lower-case letters and digits, joined by single '.', '_' or '-'.",
                            )
                        ],
                    ),
                ),
                ("is_default", models.BooleanField(default=False)),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="channels",
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
                        fields=("application", "slug"),
                        name="licenses_channel_slug",
                        violation_error_message="The application has a channel with this slug.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("is_default", True)),
                        fields=("application",),
                        name="licenses_channel_one_default",
                    ),
                    models.UniqueConstraint(
                        fields=("application", "id"),
                        name="licenses_channel_application",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Customer",
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
                        max_length=254,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u2028-\\u202e\\u2060\\u2066-\\u2069\\ufeff]*\\Z",
                                "Control characters are not allowed.",
                            )
                        ],
                    ),
                ),
                ("email", models.EmailField(blank=True, max_length=254)),
                (
                    "custom_id",
                    models.CharField(
                        blank=True,
                        max_length=254,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u2028-\\u202e\\u2060\\u2066-\\u2069\\ufeff]*\\Z",
                                "Control characters are not allowed.",
                            )
                        ],
                    ),
                ),
                (
                    "archived_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                (
                    "search_text",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Func(
                            models.F("name"),
                            models.F("email"),
                            models.F("custom_id"),
                            arg_joiner=" || chr(10) || ",
                            function="lower",
                        ),
                        output_field=models.TextField(),
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
                "indexes": [
                    models.Index(
                        fields=["team", "-created_at", "-id"],
                        name="licenses_customer_page",
                    ),
                    models.Index(
                        models.F("team"),
                        django.db.models.functions.text.Lower("name"),
                        models.F("id"),
                        name="licenses_customer_name",
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["search_text"],
                        name="licenses_customer_search",
                        opclasses=["gin_trgm_ops"],
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("team", "id"), name="licenses_customer_team"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("custom_id", ""), _negated=True),
                        fields=("team", "custom_id"),
                        name="licenses_customer_custom_id",
                        violation_error_message="Another customer has this custom ID.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="License",
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
                    "type",
                    models.CharField(
                        choices=[
                            ("paid", "Paid"),
                            ("trial", "Trial"),
                            ("dev", "Development"),
                            ("community", "Community"),
                        ],
                        max_length=16,
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                (
                    "revoked_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                (
                    "revoke_reason",
                    models.CharField(
                        blank=True,
                        max_length=1000,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u2028-\\u202e\\u2060\\u2066-\\u2069\\ufeff]*\\Z",
                                "Control characters are not allowed.",
                            )
                        ],
                    ),
                ),
                ("sequence", models.PositiveBigIntegerField(default=1, editable=False)),
                ("field_values", models.JSONField(blank=True, default=dict)),
                (
                    "secret_field_values",
                    portal.crypto.fields.EncryptedField(
                        blank=True, editable=False, null=True
                    ),
                ),
                (
                    "search_text",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.text.Lower(
                            django.db.models.functions.comparison.Cast(
                                models.Func(
                                    models.F("field_values"),
                                    models.Value("$.*"),
                                    function="jsonb_path_query_array",
                                    output_field=models.JSONField(),
                                ),
                                models.TextField(),
                            )
                        ),
                        output_field=models.TextField(),
                    ),
                ),
                ("license_id", portal.crypto.fields.EncryptedField(editable=False)),
                (
                    "license_id_digest",
                    models.CharField(editable=False, max_length=100, unique=True),
                ),
                (
                    "id_version",
                    models.PositiveIntegerField(default=1, editable=False),
                ),
                (
                    "previous_license_id_digest",
                    models.CharField(
                        blank=True,
                        editable=False,
                        max_length=100,
                        null=True,
                        unique=True,
                    ),
                ),
                (
                    "previous_license_id_ends_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                (
                    "application",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="licenses",
                        to="licenses.application",
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="licenses",
                        to="licenses.channel",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="licenses",
                        to="licenses.customer",
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
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
                (
                    "archived_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["team", "-created_at", "-id"],
                        include=(
                            *("customer", "application", "channel", "type"),
                            *("expires_at", "revoked_at", "archived_at"),
                        ),
                        name="licenses_license_page",
                    ),
                    models.Index(
                        fields=["customer"],
                        include=(
                            *("id", "team"),
                            *("expires_at", "revoked_at", "archived_at"),
                        ),
                        name="licenses_license_customer",
                    ),
                    models.Index(
                        fields=["application"],
                        include=(
                            *("team", "customer"),
                            *("expires_at", "revoked_at", "archived_at"),
                        ),
                        name="licenses_license_application",
                    ),
                    models.Index(
                        fields=["channel"],
                        include=("team",),
                        name="licenses_license_channel",
                    ),
                    models.Index(
                        fields=["team", "type", "-created_at", "-id"],
                        include=("archived_at",),
                        name="licenses_license_of_type",
                    ),
                    models.Index(
                        fields=["team", "expires_at"],
                        condition=models.Q(("revoked_at", None)),
                        name="licenses_license_expiry",
                    ),
                    models.Index(
                        models.F("team"),
                        django.db.models.functions.comparison.Coalesce(
                            "expires_at",
                            models.Value(dt.datetime(9999, 12, 31, tzinfo=dt.UTC)),
                        ),
                        models.F("id"),
                        include=(
                            *("customer", "application", "channel", "type"),
                            *("expires_at", "revoked_at", "archived_at"),
                        ),
                        name="licenses_license_end",
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        fields=["search_text"],
                        name="licenses_license_search",
                        opclasses=["gin_trgm_ops"],
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("type__in", ["paid", "trial", "dev", "community"])
                        ),
                        name="licenses_license_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("revoke_reason", ""), ("revoked_at__isnull", True)
                            ),
                            models.Q(
                                ("revoked_at__isnull", False),
                                models.Q(("revoke_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="licenses_license_revoked_with_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("archived_at__isnull", True),
                            ("revoked_at__isnull", False),
                            _connector="OR",
                        ),
                        name="licenses_license_archived_is_revoked",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("type", "community"), _negated=True),
                            ("expires_at__isnull", True),
                            _connector="OR",
                        ),
                        name="licenses_license_community_unexpiring",
                        violation_error_message="A community license does not expire.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("previous_license_id_digest__isnull", True),
                                ("previous_license_id_ends_at__isnull", True),
                            ),
                            models.Q(
                                ("id_version__gt", 1),
                                ("previous_license_id_digest__isnull", False),
                                ("previous_license_id_ends_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="licenses_license_previous_id",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LicenseField",
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
                        max_length=100,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-zA-Z_][a-zA-Z0-9_]{0,99}\\Z",
                                "Start with a letter or '_'; use letters, digits and '_' only.",
                            ),
                            licenses.models.licenses.validate_name_is_free,
                        ],
                    ),
                ),
                (
                    "title",
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
                    "type",
                    models.CharField(
                        choices=[
                            ("String", "String"),
                            ("Text", "Text"),
                            ("Integer", "Integer"),
                            ("Boolean", "Boolean"),
                            ("Password", "Password"),
                            ("Enum", "Enum"),
                        ],
                        max_length=16,
                    ),
                ),
                ("default", models.JSONField(blank=True, null=True)),
                ("required", models.BooleanField(default=False)),
                ("hidden", models.BooleanField(default=False)),
                (
                    "options",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=254),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="license_fields",
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
                        fields=("application", "name"),
                        name="licenses_licensefield_name",
                        violation_error_message="The application has a field with this name.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("type", "Enum"),
                                models.Q(("options", []), _negated=True),
                            ),
                            models.Q(
                                models.Q(("type", "Enum"), _negated=True),
                                ("options", []),
                            ),
                            _connector="OR",
                        ),
                        name="licenses_licensefield_options",
                        violation_error_message="An Enum, and nothing else, needs options.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("name__iexact", "expires_at"), _negated=True
                        ),
                        name="licenses_licensefield_name_is_free",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("type", "Password"), _negated=True),
                            ("default__isnull", True),
                            _connector="OR",
                        ),
                        name="licenses_licensefield_password",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LicenseSigningKey",
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
                ("private_key", portal.crypto.fields.EncryptedField(editable=False)),
                ("public_key", models.TextField(editable=False)),
                ("root_id", models.CharField(editable=False, max_length=32)),
                ("root_signature", models.TextField(editable=False)),
                (
                    "application",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="license_signing_key",
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
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="RetiredSlug",
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
                ("slug", models.CharField(max_length=64, unique=True)),
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
        pgtrigger.migrations.AddTrigger(
            model_name="application",
            trigger=pgtrigger.compiler.Trigger(
                name="slug_not_retired",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="\nIF EXISTS (\n    SELECT FROM licenses_retiredslug retired\n    WHERE retired.slug = NEW.slug AND retired.team_id <> NEW.team_id\n) THEN\n    RAISE EXCEPTION 'the slug % is retired and another team''s', NEW.slug\n        USING ERRCODE = 'unique_violation', CONSTRAINT = TG_NAME;\nEND IF;\nRETURN NULL;\n",
                    hash="baf18ec91b77267c5d337fe2c8c547b65d3d71fe",
                    operation='INSERT OR UPDATE OF "team_id", "slug"',
                    pgid="pgtrigger_slug_not_retired_b8ba7",
                    table="licenses_application",
                    when="AFTER",
                ),
            ),
        ),
        migrations.CreateModel(
            name="PullCredential",
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
                        max_length=100,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u2028-\\u202e\\u2060\\u2066-\\u2069\\ufeff]*\\Z",
                                "Control characters are not allowed.",
                            ),
                            django.core.validators.MinLengthValidator(1),
                        ],
                    ),
                ),
                (
                    "key",
                    models.CharField(editable=False, max_length=16, unique=True),
                ),
                (
                    "digest",
                    models.CharField(editable=False, max_length=100, unique=True),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                (
                    "networks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            max_length=43,
                            validators=[licenses.models.credentials.validate_network],
                        ),
                        blank=True,
                        default=list,
                        size=50,
                    ),
                ),
                ("created_by_kind", models.CharField(editable=False, max_length=16)),
                (
                    "created_by_label",
                    models.CharField(editable=False, max_length=254),
                ),
                (
                    "revoked_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                (
                    "revoked_by_kind",
                    models.CharField(blank=True, editable=False, max_length=16),
                ),
                (
                    "revoked_by_label",
                    models.CharField(blank=True, editable=False, max_length=254),
                ),
                ("was_leaked", models.BooleanField(default=False, editable=False)),
                (
                    "last_used_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                (
                    "last_used_address",
                    models.GenericIPAddressField(blank=True, editable=False, null=True),
                ),
                (
                    "last_used_client",
                    models.CharField(blank=True, editable=False, max_length=100),
                ),
                (
                    "unused_alerted_at",
                    models.DateTimeField(editable=False, null=True),
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
                    "created_with",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="licenses.pullcredential",
                    ),
                ),
                (
                    "license",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="pull_credentials",
                        to="licenses.license",
                    ),
                ),
                (
                    "replaced_by",
                    models.OneToOneField(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="replaces",
                        to="licenses.pullcredential",
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
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
                "indexes": [
                    models.Index(
                        fields=["team", "-created_at", "-id"],
                        name="licenses_pullcredential_page",
                    ),
                    django.contrib.postgres.indexes.GinIndex(
                        django.contrib.postgres.indexes.OpClass(
                            django.db.models.functions.text.Upper("name"),
                            name="gin_trgm_ops",
                        ),
                        name="licenses_pullcredential_search",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("replaced_by__isnull", True), ("revoked_at__isnull", True)
                        ),
                        fields=("license", "name"),
                        name="licenses_pullcredential_name",
                        violation_error_message=(
                            "The license has a pull credential with this name. Choose "
                            "another name, or rotate that one."
                        ),
                    ),
                    models.UniqueConstraint(
                        fields=("license", "id"),
                        name="licenses_pullcredential_license",
                    ),
                    models.UniqueConstraint(
                        fields=("team", "id"), name="licenses_pullcredential_team"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PullCredentialNetwork",
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
                ("network", models.CharField(max_length=43)),
                ("last_used_at", models.DateTimeField()),
                (
                    "credential",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="used_networks",
                        to="licenses.pullcredential",
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
                        fields=("credential", "network"),
                        name="licenses_pullcredentialnetwork_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="IssuerKeys",
            fields=[
                (
                    "issuer",
                    models.CharField(max_length=300, primary_key=True, serialize=False),
                ),
                ("key_set", models.TextField(blank=True)),
                ("read_at", models.DateTimeField(null=True)),
                ("tried_at", models.DateTimeField(null=True)),
                (
                    "next_at",
                    models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now
                    ),
                ),
                ("problem", models.CharField(blank=True, max_length=600)),
            ],
        ),
        migrations.CreateModel(
            name="TrustedIdentity",
            fields=[
                (
                    "updated_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False
                    ),
                ),
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
                    "label",
                    models.CharField(
                        max_length=60,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u2028-\\u202e\\u2060\\u2066-\\u2069\\ufeff]*\\Z",
                                "Control characters are not allowed.",
                            ),
                            django.core.validators.MinLengthValidator(1),
                        ],
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("kubernetes", "Kubernetes"),
                            ("github", "GitHub Actions"),
                            ("gitlab", "GitLab CI"),
                            ("other", "Another issuer"),
                        ],
                        max_length=16,
                    ),
                ),
                ("issuer", models.CharField(max_length=300)),
                (
                    "audience",
                    models.CharField(
                        max_length=200,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[^\\x00-\\x1f\\x7f-\\x9f\\u200b\\u2028-\\u202e\\u2060\\u2066-\\u2069\\ufeff]*\\Z",
                                "Control characters are not allowed.",
                            )
                        ],
                    ),
                ),
                ("rules", models.JSONField()),
                ("anchor", models.CharField(editable=False, max_length=64)),
                ("key_set", models.TextField(blank=True)),
                (
                    "kids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200),
                        blank=True,
                        default=list,
                        editable=False,
                        size=None,
                    ),
                ),
                ("created_by_kind", models.CharField(editable=False, max_length=16)),
                (
                    "created_by_label",
                    models.CharField(editable=False, max_length=254),
                ),
                (
                    "removed_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                (
                    "removed_by_kind",
                    models.CharField(blank=True, editable=False, max_length=16),
                ),
                (
                    "removed_by_label",
                    models.CharField(blank=True, editable=False, max_length=254),
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
                    "license",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="trusted_identities",
                        to="licenses.license",
                    ),
                ),
                (
                    "removed_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
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
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["team", "-created_at", "-id"],
                        name="licenses_trustedidentity_page",
                    ),
                    models.Index(
                        fields=["anchor"], name="licenses_trustedidentity_found"
                    ),
                    models.Index(
                        condition=models.Q(
                            ("key_set", ""), ("removed_at__isnull", True)
                        ),
                        fields=["issuer"],
                        name="licenses_trustedidentity_read",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("removed_at__isnull", True)),
                        fields=("license", "label"),
                        name="licenses_trustedidentity_label",
                        violation_error_message=(
                            "The license has a trusted identity with this label. "
                            "Choose another label, or remove that one."
                        ),
                    ),
                    models.UniqueConstraint(
                        fields=("team", "id"), name="licenses_trustedidentity_team"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IdentityWorkload",
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
                ("number", models.PositiveIntegerField()),
                ("name", models.CharField(max_length=200)),
                (
                    "last_used_at",
                    models.DateTimeField(default=django.utils.timezone.now),
                ),
                ("last_used_address", models.GenericIPAddressField(null=True)),
                ("last_used_client", models.CharField(blank=True, max_length=100)),
                ("last_used_node", models.CharField(blank=True, max_length=200)),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="teams.team",
                    ),
                ),
                (
                    "identity",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="workloads",
                        to="licenses.trustedidentity",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("identity", "number"),
                        name="licenses_identityworkload_number",
                    ),
                    models.UniqueConstraint(
                        fields=("identity", "name"),
                        name="licenses_identityworkload_name",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Notice",
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
                ("key", models.CharField(max_length=200)),
                ("data", models.JSONField(default=dict)),
                ("dispatched_at", models.DateTimeField(null=True)),
                (
                    "license",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notices",
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
                        condition=models.Q(("dispatched_at__isnull", True)),
                        fields=["created_at"],
                        name="licenses_notice_waiting",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("team", "key"), name="licenses_notice_once"
                    )
                ],
            },
        ),
        # Django adds those of a table with a generated column at the end, but the
        # foreign keys need it.
        migrations.AddConstraint(
            model_name="license",
            constraint=models.UniqueConstraint(
                fields=("team", "id"), name="licenses_license_team"
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
        pgtrigger.migrations.AddTrigger(
            model_name="channel",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."application_id" IS DISTINCT FROM (NEW."application_id") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."is_default" IS DISTINCT FROM (NEW."is_default") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."slug" IS DISTINCT FROM (NEW."slug") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="13e0480169ff015b5932ed40283598fdb1dc2ecd",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_e492d",
                    table="licenses_channel",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="customer",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."archived_at" IS DISTINCT FROM (NEW."archived_at") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."custom_id" IS DISTINCT FROM (NEW."custom_id") OR OLD."email" IS DISTINCT FROM (NEW."email") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="c2cae3a107a84552e3cc0c280bd1045e80735d5e",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_573f9",
                    table="licenses_customer",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="licensefield",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."application_id" IS DISTINCT FROM (NEW."application_id") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."default" IS DISTINCT FROM (NEW."default") OR OLD."hidden" IS DISTINCT FROM (NEW."hidden") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."options" IS DISTINCT FROM (NEW."options") OR OLD."required" IS DISTINCT FROM (NEW."required") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id") OR OLD."title" IS DISTINCT FROM (NEW."title") OR OLD."type" IS DISTINCT FROM (NEW."type"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="a87846ba1146fd371497bc233a3f1be450c1fe9e",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_9d171",
                    table="licenses_licensefield",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="pullcredential",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."created_by_id" IS DISTINCT FROM (NEW."created_by_id") OR OLD."created_by_kind" IS DISTINCT FROM (NEW."created_by_kind") OR OLD."created_by_label" IS DISTINCT FROM (NEW."created_by_label") OR OLD."created_with_id" IS DISTINCT FROM (NEW."created_with_id") OR OLD."digest" IS DISTINCT FROM (NEW."digest") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."key" IS DISTINCT FROM (NEW."key") OR OLD."license_id" IS DISTINCT FROM (NEW."license_id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."networks" IS DISTINCT FROM (NEW."networks") OR OLD."replaced_by_id" IS DISTINCT FROM (NEW."replaced_by_id") OR OLD."revoked_at" IS DISTINCT FROM (NEW."revoked_at") OR OLD."revoked_by_id" IS DISTINCT FROM (NEW."revoked_by_id") OR OLD."revoked_by_kind" IS DISTINCT FROM (NEW."revoked_by_kind") OR OLD."revoked_by_label" IS DISTINCT FROM (NEW."revoked_by_label") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id") OR OLD."was_leaked" IS DISTINCT FROM (NEW."was_leaked"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="c691a94981df44360536dbfacde9fb25f0665c6a",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_9a634",
                    table="licenses_pullcredential",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="trustedidentity",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."anchor" IS DISTINCT FROM (NEW."anchor") OR OLD."audience" IS DISTINCT FROM (NEW."audience") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."created_by_id" IS DISTINCT FROM (NEW."created_by_id") OR OLD."created_by_kind" IS DISTINCT FROM (NEW."created_by_kind") OR OLD."created_by_label" IS DISTINCT FROM (NEW."created_by_label") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."issuer" IS DISTINCT FROM (NEW."issuer") OR OLD."key_set" IS DISTINCT FROM (NEW."key_set") OR OLD."kids" IS DISTINCT FROM (NEW."kids") OR OLD."kind" IS DISTINCT FROM (NEW."kind") OR OLD."label" IS DISTINCT FROM (NEW."label") OR OLD."license_id" IS DISTINCT FROM (NEW."license_id") OR OLD."removed_at" IS DISTINCT FROM (NEW."removed_at") OR OLD."removed_by_id" IS DISTINCT FROM (NEW."removed_by_id") OR OLD."removed_by_kind" IS DISTINCT FROM (NEW."removed_by_kind") OR OLD."removed_by_label" IS DISTINCT FROM (NEW."removed_by_label") OR OLD."rules" IS DISTINCT FROM (NEW."rules") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="b65447bd1b9c6805ff9e0a81e596132d7da464d1",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_670cc",
                    table="licenses_trustedidentity",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="application",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."archived_at" IS DISTINCT FROM (NEW."archived_at") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."name" IS DISTINCT FROM (NEW."name") OR OLD."slug" IS DISTINCT FROM (NEW."slug") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="9cfb69c9eabd8cf54681d5c5cf70bde39f18a7a1",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_d6863",
                    table="licenses_application",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="license",
            trigger=pgtrigger.compiler.Trigger(
                name="notes_changes",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition='WHEN (OLD."application_id" IS DISTINCT FROM (NEW."application_id") OR OLD."archived_at" IS DISTINCT FROM (NEW."archived_at") OR OLD."channel_id" IS DISTINCT FROM (NEW."channel_id") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at") OR OLD."customer_id" IS DISTINCT FROM (NEW."customer_id") OR OLD."expires_at" IS DISTINCT FROM (NEW."expires_at") OR OLD."field_values" IS DISTINCT FROM (NEW."field_values") OR OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."id_version" IS DISTINCT FROM (NEW."id_version") OR OLD."license_id_digest" IS DISTINCT FROM (NEW."license_id_digest") OR OLD."previous_license_id_digest" IS DISTINCT FROM (NEW."previous_license_id_digest") OR OLD."previous_license_id_ends_at" IS DISTINCT FROM (NEW."previous_license_id_ends_at") OR OLD."revoke_reason" IS DISTINCT FROM (NEW."revoke_reason") OR OLD."revoked_at" IS DISTINCT FROM (NEW."revoked_at") OR OLD."revoked_by_id" IS DISTINCT FROM (NEW."revoked_by_id") OR OLD."sequence" IS DISTINCT FROM (NEW."sequence") OR OLD."team_id" IS DISTINCT FROM (NEW."team_id") OR OLD."type" IS DISTINCT FROM (NEW."type"))',
                    func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
                    hash="cf3114d32e54dd89d0963153f12c043a90bdac57",
                    operation="UPDATE",
                    pgid="pgtrigger_notes_changes_a0346",
                    table="licenses_license",
                    when="BEFORE",
                ),
            ),
        ),
    ]
