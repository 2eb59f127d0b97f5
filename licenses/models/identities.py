from __future__ import annotations

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from licenses.identities.key_sets import MAX_KID_LENGTH
from licenses.identities.rules import (
    KINDS,
    MAX_ISSUER_LENGTH,
    IdentityKind,
    in_words,
)
from licenses.models.licenses import License
from teams.models import (
    Changing,
    Made,
    TeamOwned,
    TeamOwnedQuerySet,
    User,
    notes_changes,
    validate_printable,
)

MAX_LABEL_LENGTH = 60
MAX_AUDIENCE_LENGTH = 200
MAX_WORKLOAD_LENGTH = 200
KIND_CHOICES = [(kind.value, words) for kind, words in KINDS.items()]


class TrustedIdentityQuerySet(TeamOwnedQuerySet["TrustedIdentity"]):
    def current(self) -> Self:
        """Keep what was not removed."""
        return self.filter(removed_at__isnull=True)


class TrustedIdentity(Changing, Made):
    """Workload tokens of an issuer that pull with a license, instead of a secret.

    ``rules`` are those of :mod:`licenses.identities.rules`. Without ``key_set``, the
    issuer's keys are read from it: see IssuerKeys. What is removed stays for the record
    of its pulls. Those who add and remove it may be no users, so they are named by
    label too.
    """

    license = models.ForeignKey(
        License, on_delete=models.CASCADE, related_name="trusted_identities"
    )
    label = models.CharField(
        max_length=MAX_LABEL_LENGTH,
        validators=[validate_printable, MinLengthValidator(1)],
    )
    kind = models.CharField(max_length=16, choices=KIND_CHOICES)
    issuer = models.CharField(max_length=MAX_ISSUER_LENGTH)
    audience = models.CharField(
        max_length=MAX_AUDIENCE_LENGTH, validators=[validate_printable]
    )
    rules = models.JSONField()
    # By this it is found: see anchor_of.
    anchor = models.CharField(max_length=64, editable=False)
    # Uploaded, for an issuer that Berth cannot reach.
    key_set = models.TextField(blank=True)
    kids = ArrayField(
        models.CharField(max_length=MAX_KID_LENGTH),
        default=list,
        blank=True,
        editable=False,
    )
    # Whether it was one of the vendor's, whom the customer is not told by name.
    created_by_kind = models.CharField(max_length=16, editable=False)
    created_by_label = models.CharField(max_length=254, editable=False)
    removed_at = models.DateTimeField(null=True, blank=True, editable=False)
    removed_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    removed_by_kind = models.CharField(max_length=16, blank=True, editable=False)
    removed_by_label = models.CharField(max_length=254, blank=True, editable=False)

    objects = TrustedIdentityQuerySet.as_manager()  # type: ignore[misc]  # narrower

    class Meta:
        triggers = [notes_changes()]
        constraints = [
            models.UniqueConstraint(
                fields=["license", "label"],
                condition=Q(removed_at__isnull=True),
                name="licenses_trustedidentity_label",
                violation_error_message=(
                    "The license has a trusted identity with this label. Choose "
                    "another label, or remove that one."
                ),
            ),
            # The target of a composite foreign key.
            models.UniqueConstraint(
                fields=["team", "id"], name="licenses_trustedidentity_team"
            ),
        ]
        indexes = [
            models.Index(
                fields=["team", "-created_at", "-id"],
                name="licenses_trustedidentity_page",
            ),
            models.Index(fields=["anchor"], name="licenses_trustedidentity_found"),
            models.Index(
                fields=["issuer"],
                condition=Q(removed_at__isnull=True, key_set=""),
                name="licenses_trustedidentity_read",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def secret_label(self) -> str:
        is_trusted = self.removed_at is None
        return f"Trusted identity {self.label} ({self.issuer})" if is_trusted else ""

    @property
    def identity_kind(self) -> IdentityKind:
        return IdentityKind(self.kind)

    @property
    def rules_in_words(self) -> list[str]:
        return [in_words(claim, pattern) for claim, pattern in self.rules.items()]


class IdentityWorkload(TeamOwned):
    """A workload that has pulled with a trusted identity, and its latest use.

    ``name`` is the namespace and service account, the repository or the subject. Pulls
    name it by its number, from 2 on; 1 stands for those beyond the number kept.
    """

    identity = models.ForeignKey(
        TrustedIdentity, on_delete=models.CASCADE, related_name="workloads"
    )
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=MAX_WORKLOAD_LENGTH)
    last_used_at = models.DateTimeField(default=timezone.now)
    last_used_address = models.GenericIPAddressField(null=True)
    last_used_client = models.CharField(max_length=100, blank=True)
    last_used_node = models.CharField(max_length=MAX_WORKLOAD_LENGTH, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["identity", "number"], name="licenses_identityworkload_number"
            ),
            models.UniqueConstraint(
                fields=["identity", "name"], name="licenses_identityworkload_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class IssuerKeys(models.Model):
    """The keys that an issuer publishes, for all teams that trust it.

    ``problem`` says why they could not be read the last time, if they could not.
    """

    issuer = models.CharField(max_length=MAX_ISSUER_LENGTH, primary_key=True)
    key_set = models.TextField(blank=True)
    read_at = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(default=timezone.now, db_index=True)
    problem = models.CharField(max_length=600, blank=True)

    def __str__(self) -> str:
        return self.issuer
