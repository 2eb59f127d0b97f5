from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from licenses.models import Application
from oci.digest import MalformedDigest
from oci.reference import MalformedName, parse_reference, parse_registry_host
from portal.crypto.fields import EncryptedField
from registries.models.health import DISPROVED_BY_PULLS, Health, Outcome
from registries.providers import (
    PROVIDERS,
    Provider,
    canonical_endpoint,
    endpoint_problem,
)
from teams.models import (
    Changing,
    Made,
    TeamOwned,
    notes_changes,
    validate_slug,
)

MAX_SECRET_BYTES = 16 * 1024
MAX_PATTERNS = 50
# All of them are candidates for each pull by their endpoint.
MAX_OF_ENDPOINT = 50
# The API and the pull filters address registries by slug, and these words mean
# something else there.
RESERVED_SLUGS = frozenset({"private-registry", "providers", "test"})

validate_pattern = RegexValidator(
    r"\A[a-z0-9._/*?-]{1,255}\Z",
    "Write a repository such as my-org/api, with * for any characters.",
)


def validate_endpoint(text: str) -> None:
    """Validate that the text is a host[:port] without scheme and path."""
    try:
        canonical = parse_registry_host(text)
    except MalformedName as error:
        raise ValidationError(str(error)) from error
    if canonical != text:
        raise ValidationError(f"Write it as {canonical}.")


def validate_test_image(text: str) -> None:
    """Validate that the text names an image, with or without its registry's host."""
    try:
        parse_reference(text)
    except (MalformedName, MalformedDigest) as error:
        raise ValidationError(str(error)) from error


def default_patterns() -> list[str]:
    return ["*"]


# What checks find out, and when they are due: nobody changed it.
_OF_CHECKS = (
    *("health", "health_since", "health_checked_at", "suspect", "failures"),
    *("next_check_at", "claimed_until"),
)


class ExternalRegistry(Changing, TeamOwned):
    """A registry of the vendor that Berth pulls through."""

    provider = models.CharField(
        max_length=32, choices=[(name, name) for name in PROVIDERS]
    )
    endpoint = models.CharField(max_length=255, validators=[validate_endpoint])
    slug = models.CharField(max_length=128, validators=[validate_slug])
    trusted_realm = models.CharField(
        max_length=255, blank=True, validators=[validate_endpoint]
    )
    shared_with_all = models.BooleanField(default=True)
    applications = models.ManyToManyField(
        Application, through="RegistryShare", related_name="registries"
    )
    repository_patterns = ArrayField(
        models.CharField(max_length=255, validators=[validate_pattern]),
        default=default_patterns,
        size=MAX_PATTERNS,
    )
    health = models.CharField(
        max_length=32, choices=Outcome.choices, blank=True, editable=False
    )
    health_since = models.DateTimeField(null=True, editable=False)
    health_checked_at = models.DateTimeField(null=True, editable=False)
    # A failure and how often it occurred in a row: see registries.models.health.
    suspect = models.CharField(
        max_length=32, choices=Outcome.choices, blank=True, editable=False
    )
    failures = models.PositiveIntegerField(default=0, editable=False)
    # An image that checks also look up, as ``repository[:tag][@digest]``.
    test_image = models.CharField(
        max_length=512, blank=True, validators=[validate_test_image]
    )
    next_check_at = models.DateTimeField(default=timezone.now, editable=False)
    # Set while a worker checks it; the claim of a killed worker expires.
    claimed_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        triggers = [notes_changes(*_OF_CHECKS)]
        verbose_name_plural = "external registries"
        constraints = [
            models.UniqueConstraint(
                fields=["team", "slug"],
                name="registries_externalregistry_slug",
                violation_error_message="Another registry of the team has this slug.",
            ),
            models.UniqueConstraint(
                fields=["team", "id"], name="registries_externalregistry_team"
            ),
            models.CheckConstraint(
                condition=Q(provider__in=list(PROVIDERS)),
                name="registries_externalregistry_provider",
            ),
            models.CheckConstraint(
                condition=~Q(repository_patterns=[]),
                name="registries_externalregistry_patterns",
                violation_error_message="Allow at least one pattern; * allows all.",
            ),
        ]
        indexes = [
            models.Index(fields=["team", "endpoint"], name="registries_by_endpoint"),
            models.Index(
                fields=["next_check_at"],
                # All that claiming needs, so that it reads no rows of busy hosts.
                include=["endpoint", "team", "claimed_until", "id"],
                name="registries_due",
            ),
            models.Index(
                fields=["claimed_until"],
                include=["endpoint", "team"],
                condition=Q(claimed_until__isnull=False),
                name="registries_claimed",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def provider_profile(self) -> Provider:
        return PROVIDERS[self.provider]

    @property
    def is_disproved_by_pulls(self) -> bool:
        """Return whether checks found a failure that a pull that works disproves."""
        return self.health in DISPROVED_BY_PULLS

    @property
    def known_health(self) -> Health:
        """Return the health that checks have established so far."""
        return Health(
            state=Outcome(self.health) if self.health else None,
            since=self.health_since,
            suspect=Outcome(self.suspect) if self.suspect else None,
            failures=self.failures,
        )

    def clean(self) -> None:
        if self.slug in RESERVED_SLUGS:
            raise ValidationError(
                {"slug": "This slug is reserved. Choose another one."}
            )
        problem = endpoint_problem(self.provider_profile, self.endpoint)
        if problem:
            raise ValidationError({"endpoint": problem})
        if self._state.adding:
            self._check_number()
        if self.test_image:
            self.test_image = self._own_image(self.test_image)

    def _check_number(self) -> None:
        """Check that pulls need not try too many registries of one endpoint."""
        own = ExternalRegistry.objects.for_team(self.team_id)
        if own.filter(endpoint=self.endpoint).count() >= MAX_OF_ENDPOINT:
            problem = (
                f"The team has {MAX_OF_ENDPOINT} registries with this endpoint, the "
                "most that are possible."
            )
            raise ValidationError({"endpoint": problem})

    def _own_image(self, name: str) -> str:
        try:
            image = parse_reference(name)
        except (MalformedName, MalformedDigest):
            return name  # the field's validator reports it
        if image.registry and canonical_endpoint(image.registry) != self.endpoint:
            problem = f"This image is on {image.registry}, not on {self.endpoint}."
            raise ValidationError({"test_image": problem})
        return image.without_registry


class RegistryShare(TeamOwned):
    """An application that may use a registry not shared with all."""

    registry = models.ForeignKey(
        ExternalRegistry, on_delete=models.CASCADE, related_name="shares"
    )
    application = models.ForeignKey(
        Application, on_delete=models.CASCADE, related_name="registry_shares"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["registry", "application"], name="registries_registryshare_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.registry_id} → {self.application_id}"


class Credential(Made):
    """One version of a registry's credential; exactly one is active."""

    registry = models.ForeignKey(
        ExternalRegistry, on_delete=models.CASCADE, related_name="credentials"
    )
    auth_type = models.CharField(max_length=32)
    username = EncryptedField()
    secret = EncryptedField()
    active = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["registry"],
                condition=Q(active=True),
                name="registries_credential_one_active",
            )
        ]

    def __str__(self) -> str:
        return f"{self.registry_id} ({self.auth_type})"

    @property
    def secret_label(self) -> str:
        return f"credential of {self.registry.slug}" if self.active else ""


class CredentialCheck(TeamOwned):
    """The result of trying a credential once. Never contains a secret."""

    registry = models.ForeignKey(
        ExternalRegistry, on_delete=models.CASCADE, related_name="checks"
    )
    credential = models.ForeignKey(
        Credential, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    outcome = models.CharField(max_length=32, choices=Outcome.choices)
    http_status = models.PositiveSmallIntegerField(null=True)
    latency_ms = models.PositiveIntegerField()
    detail = models.CharField(max_length=500)

    class Meta:
        indexes = [
            models.Index(
                fields=["registry", "-created_at", "-id"], name="registries_check_page"
            ),
            models.Index(
                fields=["created_at"], include=["outcome"], name="registries_check_age"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.registry_id}: {self.outcome}"
