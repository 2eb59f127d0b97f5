from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.core.exceptions import ValidationError
from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone

from licenses.models.licenses import License
from licenses.networks import canonical_network
from teams.models import (
    LAST_USED_PRECISION,
    Changing,
    Made,
    TeamOwned,
    TeamOwnedQuerySet,
    User,
    notes_changes,
    validate_printable,
)

MAX_NETWORKS = 50
MAX_CLIENT_LENGTH = 100


_USE = (
    *("last_used_at", "last_used_address", "last_used_client"),
    "unused_alerted_at",
)


class CredentialState(StrEnum):
    """``REPLACED`` has a successor, and can be used until it expires."""

    ACTIVE = "active"
    REPLACED = "replaced"
    EXPIRED = "expired"
    REVOKED = "revoked"


def validate_network(text: str) -> None:
    try:
        network = canonical_network(text)
    except ValueError as error:
        raise ValidationError(str(error)) from error
    if network != text:
        raise ValidationError(f"Write {text!r} as {network}.")


class PullCredentialQuerySet(TeamOwnedQuerySet["PullCredential"]):
    def current(self) -> Self:
        """Keep what was neither revoked nor replaced; it may have expired."""
        return self.filter(revoked_at__isnull=True, replaced_by__isnull=True)

    def unused_since(self, instant: datetime) -> Self:
        """Keep what was not used since then; a new one counts from its creation."""
        unused = Q(last_used_at__lte=instant)
        never_used = Q(last_used_at__isnull=True, created_at__lte=instant)
        return self.filter(unused | never_used)

    def usable(self, at: datetime | None = None) -> Self:
        """Keep what can be used to pull, replaced ones included."""
        unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=at or timezone.now())
        return self.filter(unexpired, revoked_at__isnull=True)


class PullCredential(Changing, Made):
    """A secret to pull with, beside a license's ID. Each secret is a row.

    Rotating makes another row of the same name, which replaces this one. Those who
    make and revoke them may be no users, so they are named by label too.
    """

    license = models.ForeignKey(
        License, on_delete=models.CASCADE, related_name="pull_credentials"
    )
    name = models.CharField(
        max_length=100, validators=[validate_printable, MinLengthValidator(1)]
    )
    key = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=100, unique=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    # Empty for everywhere.
    networks = ArrayField(
        models.CharField(max_length=43, validators=[validate_network]),
        default=list,
        blank=True,
        size=MAX_NETWORKS,
    )
    # Presented to make this one, by a license holder: whoever knew that knows this.
    created_with = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    # Whether it was one of the vendor's, whom the customer is not told by name.
    created_by_kind = models.CharField(max_length=16, editable=False)
    created_by_label = models.CharField(max_length=254, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    revoked_by_kind = models.CharField(max_length=16, blank=True, editable=False)
    revoked_by_label = models.CharField(max_length=254, blank=True, editable=False)
    # Whether it was revoked because it was found in public.
    was_leaked = models.BooleanField(default=False, editable=False)
    replaced_by = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="replaces",
    )
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_address = models.GenericIPAddressField(
        null=True, blank=True, editable=False
    )
    last_used_client = models.CharField(
        max_length=MAX_CLIENT_LENGTH, blank=True, editable=False
    )
    # When the team was alerted that nobody uses it. A later use ends that.
    unused_alerted_at = models.DateTimeField(null=True, editable=False)

    objects = PullCredentialQuerySet.as_manager()  # type: ignore[misc]  # narrower

    class Meta:
        triggers = [notes_changes(*_USE)]
        constraints = [
            models.UniqueConstraint(
                fields=["license", "name"],
                condition=Q(revoked_at__isnull=True, replaced_by__isnull=True),
                name="licenses_pullcredential_name",
                violation_error_message=(
                    "The license has a pull credential with this name. Choose another "
                    "name, or rotate that one."
                ),
            ),
            # The targets of composite foreign keys.
            models.UniqueConstraint(
                fields=["license", "id"], name="licenses_pullcredential_license"
            ),
            models.UniqueConstraint(
                fields=["team", "id"], name="licenses_pullcredential_team"
            ),
        ]
        indexes = [
            models.Index(
                fields=["team", "-created_at", "-id"],
                name="licenses_pullcredential_page",
            ),
            # Upper matches the SQL of icontains, which the search uses.
            GinIndex(
                OpClass(Upper("name"), name="gin_trgm_ops"),
                name="licenses_pullcredential_search",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def secret_label(self) -> str:
        is_usable = self.state() in {CredentialState.ACTIVE, CredentialState.REPLACED}
        return f"Pull credential {self.name} ({self.key[:8]}…)" if is_usable else ""

    @property
    def is_used_since_replaced(self) -> bool:
        """Return whether somebody still used it after its successor was made."""
        used, successor = self.last_used_at, self.replaced_by
        return bool(used and successor and used > successor.created_at)

    @property
    def is_use_still_unknown(self) -> bool:
        """Return whether a use after its successor was made may not be noted yet.

        Uses are noted once a minute.
        """
        used, successor = self.last_used_at, self.replaced_by
        if not used or not successor or self.is_used_since_replaced:
            return False
        return used + LAST_USED_PRECISION > timezone.now()

    def state(self, at: datetime | None = None) -> CredentialState:
        """Return the state now, or at another instant; not that of the license."""
        if self.revoked_at is not None:
            return CredentialState.REVOKED
        if self.expires_at is not None and self.expires_at <= (at or timezone.now()):
            return CredentialState.EXPIRED
        is_replaced = self.replaced_by_id is not None
        return CredentialState.REPLACED if is_replaced else CredentialState.ACTIVE


class PullCredentialNetwork(TeamOwned):
    """A network that a pull credential was used from; the latest ones are kept."""

    credential = models.ForeignKey(
        PullCredential, on_delete=models.CASCADE, related_name="used_networks"
    )
    network = models.CharField(max_length=43)
    last_used_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["credential", "network"],
                name="licenses_pullcredentialnetwork_once",
            )
        ]

    def __str__(self) -> str:
        return self.network
