from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Cast, Coalesce, Lower
from django.utils import timezone

from licenses.models.applications import Application, Channel
from licenses.models.customers import Customer
from portal.crypto.fields import EncryptedField
from teams.models import (
    Changing,
    TeamOwned,
    TeamOwnedQuerySet,
    User,
    notes_changes,
    validate_printable,
)

validate_field_name = RegexValidator(
    r"\A[a-zA-Z_][a-zA-Z0-9_]{0,99}\Z",
    "Start with a letter or '_'; use letters, digits and '_' only.",
)
# License files list the license's own expiry among its fields, under this name.
EXPIRY_NAME = "expires_at"
MAX_FIELD_VALUE_BYTES = 64 * 1024
EXPIRES_SOON = timedelta(days=30)
NO_EXPIRY = "A community license does not expire."
# What a license without an expiry is sorted as: after every other.
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
# Conditions on when a license ends use this, as the order of lists does, so that one
# index serves both.
END = Coalesce("expires_at", Value(NEVER))
# Filters read only an index with these, and rows only of what a page shows.
_COUNTED = ("expires_at", "revoked_at", "archived_at")
_FILTERED = ("customer", "application", "channel", "type", *_COUNTED)


def validate_name_is_free(name: str) -> None:
    if name.lower() == EXPIRY_NAME:
        raise ValidationError(
            f"License files use {EXPIRY_NAME} for the license's own expiry. Choose "
            "another name."
        )


class LicenseField(Changing, TeamOwned):
    """A typed value in every license of an application (entitlement)."""

    class Type(models.TextChoices):
        STRING = "String"
        TEXT = "Text"
        INTEGER = "Integer"
        BOOLEAN = "Boolean"
        PASSWORD = "Password"  # noqa: S105 -- a type
        ENUM = "Enum"

    application = models.ForeignKey(
        Application, on_delete=models.CASCADE, related_name="license_fields"
    )
    name = models.CharField(
        max_length=100, validators=[validate_field_name, validate_name_is_free]
    )
    title = models.CharField(max_length=150, validators=[validate_printable])
    type = models.CharField(max_length=16, choices=Type.choices)
    default = models.JSONField(null=True, blank=True)
    required = models.BooleanField(default=False)
    hidden = models.BooleanField(default=False)
    options = ArrayField(models.CharField(max_length=254), default=list, blank=True)

    class Meta:
        triggers = [notes_changes()]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "name"],
                name="licenses_licensefield_name",
                violation_error_message="The application has a field with this name.",
            ),
            models.CheckConstraint(
                condition=(Q(type="Enum") & ~Q(options=[]))
                | (~Q(type="Enum") & Q(options=[])),
                name="licenses_licensefield_options",
                violation_error_message="An Enum, and nothing else, needs options.",
            ),
            models.CheckConstraint(
                condition=~Q(name__iexact=EXPIRY_NAME),
                name="licenses_licensefield_name_is_free",
            ),
            # A default is stored unencrypted, and all licenses would share it.
            models.CheckConstraint(
                condition=~Q(type="Password") | Q(default__isnull=True),
                name="licenses_licensefield_password",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.default is not None:
            if self.type == self.Type.PASSWORD:
                raise ValidationError({"default": "A Password cannot have a default."})
            try:
                self.check_value(self.default)
            except ValidationError as error:
                raise ValidationError({"default": error.messages}) from error

    def check_value(self, value: object) -> None:
        """Check that a value is of this field's type.

        Raises:
            ValidationError: it is not; the message is for people.
        """
        expected = {"Integer": int, "Boolean": bool}.get(self.type, str)
        if not isinstance(value, expected) or (
            expected is int and isinstance(value, bool)
        ):
            raise ValidationError(f"{self.name} must be of type {self.type}.")
        if isinstance(value, str):
            self._check_text(value)
        elif isinstance(value, int) and abs(value) >= 2**63:
            raise ValidationError(f"{self.name} must be a 64-bit integer.")

    def _check_text(self, value: str) -> None:
        if "\x00" in value or len(value.encode()) > MAX_FIELD_VALUE_BYTES:
            raise ValidationError(f"{self.name} must be text of at most 64 KB.")
        if self.type == self.Type.ENUM and value not in self.options:
            raise ValidationError(
                f"{self.name} must be one of: {', '.join(self.options)}."
            )


class LicenseState(StrEnum):
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Standing(StrEnum):
    """A license's state as people see it: with coming expiry and archived customer."""

    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    REVOKED = "revoked"
    CUSTOMER_ARCHIVED = "customer archived"


class LicenseQuerySet(TeamOwnedQuerySet["License"]):
    def active(self, at: datetime | None = None) -> Self:
        """Keep licenses that are neither revoked nor expired."""
        ends = self.alias(end=END)
        return ends.filter(end__gt=at or timezone.now(), revoked_at__isnull=True)

    def expiring(self, at: datetime | None = None) -> Self:
        """Keep active licenses that expire within 30 days."""
        now = at or timezone.now()
        return self.active(now).filter(end__lte=now + EXPIRES_SOON)

    def expired(self, at: datetime | None = None) -> Self:
        """Keep licenses past their expiry that were not revoked."""
        ended = self.alias(end=END).filter(end__lte=at or timezone.now())
        return ended.filter(revoked_at__isnull=True)

    def revoked(self) -> Self:
        return self.filter(revoked_at__isnull=False)

    def unarchived(self) -> Self:
        return self.filter(archived_at__isnull=True)


class LicenseType(models.TextChoices):
    """What a license was given for; pages, filters and the API offer all of them."""

    PAID = "paid", "Paid"
    TRIAL = "trial", "Trial"
    DEV = "dev", "Development"
    COMMUNITY = "community", "Community"

    @property
    def meaning(self) -> str:
        return {
            LicenseType.PAID: "the customer has bought it",
            LicenseType.TRIAL: "the customer tries it out",
            LicenseType.DEV: "for your own people",
            LicenseType.COMMUNITY: "free, and never expires",
        }[self]


class License(Changing, TeamOwned):
    """A customer's right to one application. Its ID is a pull credential."""

    Type = LicenseType

    # Meta has their indexes, with what lists and counts filter by.
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="licenses", db_index=False
    )
    application = models.ForeignKey(
        Application, on_delete=models.PROTECT, related_name="licenses", db_index=False
    )
    channel = models.ForeignKey(
        Channel, on_delete=models.PROTECT, related_name="licenses", db_index=False
    )
    type = models.CharField(max_length=16, choices=LicenseType.choices)
    expires_at = models.DateTimeField(null=True, blank=True)
    # Kept for the record only: left out of lists, and revoked for as long.
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    revoke_reason = models.CharField(
        max_length=1000, blank=True, validators=[validate_printable]
    )
    sequence = models.PositiveBigIntegerField(default=1, editable=False)
    field_values = models.JSONField(default=dict, blank=True)
    # Values of Password fields, as JSON; null without any.
    secret_field_values = EncryptedField(  # type: ignore[misc]  # nullable
        null=True, blank=True, editable=False
    )
    # The values without their names, and without passwords.
    search_text = models.GeneratedField(
        expression=Lower(
            Cast(
                Func(
                    F("field_values"),
                    Value("$.*"),
                    function="jsonb_path_query_array",
                    output_field=models.JSONField(),
                ),
                models.TextField(),
            )
        ),
        output_field=models.TextField(),
        db_persist=True,
    )
    license_id = EncryptedField(editable=False)
    license_id_digest = models.CharField(max_length=100, unique=True, editable=False)
    # A license ID can be replaced. The one before is valid for a while.
    id_version = models.PositiveIntegerField(default=1, editable=False)
    previous_license_id_digest = models.CharField(
        max_length=100, null=True, blank=True, unique=True, editable=False
    )
    previous_license_id_ends_at = models.DateTimeField(
        null=True, blank=True, editable=False
    )

    objects = LicenseQuerySet.as_manager()  # type: ignore[misc]  # narrower

    class Meta:
        # A new ID has another digest, and new secret values raise the sequence.
        triggers = [notes_changes("search_text", "license_id", "secret_field_values")]
        constraints = [
            models.CheckConstraint(
                condition=Q(type__in=LicenseType.values),
                name="licenses_license_type",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoke_reason="")
                | (Q(revoked_at__isnull=False) & ~Q(revoke_reason="")),
                name="licenses_license_revoked_with_reason",
            ),
            models.CheckConstraint(
                condition=Q(archived_at__isnull=True) | Q(revoked_at__isnull=False),
                name="licenses_license_archived_is_revoked",
            ),
            models.CheckConstraint(
                condition=~Q(type="community") | Q(expires_at__isnull=True),
                name="licenses_license_community_unexpiring",
                violation_error_message=NO_EXPIRY,
            ),
            models.CheckConstraint(
                condition=Q(
                    previous_license_id_digest__isnull=True,
                    previous_license_id_ends_at__isnull=True,
                )
                | Q(
                    previous_license_id_digest__isnull=False,
                    previous_license_id_ends_at__isnull=False,
                    id_version__gt=1,
                ),
                name="licenses_license_previous_id",
            ),
            models.UniqueConstraint(
                fields=["team", "id"], name="licenses_license_team"
            ),
        ]
        indexes = [
            models.Index(
                fields=["team", "-created_at", "-id"],
                include=_FILTERED,
                name="licenses_license_page",
            ),
            # Counts of licenses, and searches of customers, read these indexes alone.
            models.Index(
                fields=["customer"],
                include=["id", "team", *_COUNTED],
                name="licenses_license_customer",
            ),
            models.Index(
                fields=["application"],
                include=["team", "customer", *_COUNTED],
                name="licenses_license_application",
            ),
            models.Index(
                fields=["channel"], include=["team"], name="licenses_license_channel"
            ),
            # For types that few licenses have.
            models.Index(
                fields=["team", "type", "-created_at", "-id"],
                include=["archived_at"],
                name="licenses_license_of_type",
            ),
            models.Index(
                fields=["team", "expires_at"],
                condition=Q(revoked_at=None),
                name="licenses_license_expiry",
            ),
            models.Index(
                F("team"),
                END,
                F("id"),
                include=_FILTERED,
                name="licenses_license_end",
            ),
            GinIndex(
                fields=["search_text"],
                opclasses=["gin_trgm_ops"],
                name="licenses_license_search",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer.name}: {self.application.slug}"

    def clean(self) -> None:
        if self.type == LicenseType.COMMUNITY and self.expires_at is not None:
            raise ValidationError({"expires_at": NO_EXPIRY})

    @property
    def is_previous_id_valid(self) -> bool:
        """Return whether the license ID before the current one can still be used."""
        ends_at = self.previous_license_id_ends_at
        return ends_at is not None and ends_at > timezone.now()

    def state(self, at: datetime | None = None) -> LicenseState:
        """Return the license's state now, or at another instant."""
        if self.revoked_at is not None:
            return LicenseState.REVOKED
        if self.expires_at is not None and self.expires_at <= (at or timezone.now()):
            return LicenseState.EXPIRED
        return LicenseState.ACTIVE

    def standing(self, at: datetime | None = None) -> Standing:
        """Return the state, or what else stops pulls now or soon."""
        now = at or timezone.now()
        state = self.state(now)
        if state is not LicenseState.ACTIVE:
            return Standing(state.value)
        if self.customer.archived_at is not None:
            return Standing.CUSTOMER_ARCHIVED
        if self.expires_at is not None and self.expires_at <= now + EXPIRES_SOON:
            return Standing.EXPIRING
        return Standing.ACTIVE
