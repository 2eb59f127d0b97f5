from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from registries.models.outcomes import ALLOWED, outcome_in_words
from teams.models import TeamOwned

# The registry of pulls from the private registry. Refused pulls through the proxy have
# no registry, and their names may look the same.
PRIVATE_REGISTRY_ID = uuid.UUID(int=0)
PRIVATE_REGISTRY_SLUG = "private-registry"


class PullEvent(TeamOwned):
    """The number of pulls in one hour with one outcome. Written after the request.

    ``outcome`` is ``allowed`` or the reason code of the refusal.
    """

    hour = models.DateTimeField()
    application_slug = models.CharField(max_length=64)
    license = models.ForeignKey(
        "licenses.License",
        null=True,
        on_delete=models.CASCADE,
        related_name="pulls",
        db_index=False,  # registries_pull_license begins with it
    )
    holder = models.CharField(max_length=80)
    # By ID and name, so that the counts outlive the credential.
    credential_id = models.UUIDField(null=True)
    credential_name = models.CharField(max_length=100, blank=True, db_default="")
    # By ID and slug, so that the counts outlive the registry.
    registry_id = models.UUIDField(null=True)
    registry_slug = models.CharField(max_length=128, blank=True)
    repository = models.CharField(max_length=512)
    reference = models.CharField(max_length=160)
    outcome = models.CharField(max_length=32)
    count = models.PositiveBigIntegerField()
    # Of these, the ones answered from the cache while the registry was unavailable.
    stale = models.PositiveBigIntegerField(default=0, db_default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "team",
                    "hour",
                    "holder",
                    "application_slug",
                    "registry_id",
                    "repository",
                    "reference",
                    "outcome",
                ],
                nulls_distinct=False,
                name="registries_pullevent_bucket",
            )
        ]
        indexes = [
            models.Index(
                fields=["team", "-last_at", "-id"], name="registries_pull_page"
            ),
            models.Index(
                fields=["license", "-last_at"],
                include=["team"],
                name="registries_pull_license",
            ),
            models.Index(
                fields=["registry_id", "-last_at"],
                include=["team", "outcome", "count"],
                name="registries_pull_registry",
            ),
            models.Index(
                fields=["team", "application_slug", "-last_at", "-id"],
                name="registries_pull_application",
            ),
            # Refusals are few: the dashboard groups them by this index alone.
            models.Index(
                fields=["team", "-last_at", "-id"],
                include=[
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
                ],
                condition=~Q(outcome=ALLOWED),
                name="registries_pull_refusals",
            ),
            models.Index(
                fields=["team", "outcome", "-last_at", "-id"],
                condition=~Q(outcome=ALLOWED),
                name="registries_pull_reason",
            ),
            models.Index(
                fields=["team", "repository", "reference"],
                opclasses=["uuid_ops", "varchar_pattern_ops", "varchar_pattern_ops"],
                name="registries_pull_repository",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.image} {self.outcome} x {self.count}"

    @property
    def is_private(self) -> bool:
        """Return whether this is a pull from the private registry."""
        return self.registry_id == PRIVATE_REGISTRY_ID

    @property
    def is_allowed(self) -> bool:
        return self.outcome == ALLOWED

    @property
    def outcome_in_words(self) -> str:
        return outcome_in_words(self.outcome)

    @property
    def image(self) -> str:
        """Return the requested name, without the application."""
        return f"{self.repository}{self._suffix}"

    @property
    def proxied_image(self) -> str:
        """Return the full name, without the proxy's host."""
        return f"proxy/{self.application_slug}/{self.image}"

    @property
    def _suffix(self) -> str:
        if not self.reference:  # refused before a reference was known
            return ""
        return f"@{self.reference}" if ":" in self.reference else f":{self.reference}"


class PullHour(TeamOwned):
    """How many of a team's pulls in one hour were allowed, and how many refused.

    The same transaction adds to these and to the rows of :class:`PullEvent`, of which a
    large team has far too many to add up for each page.
    """

    hour = models.DateTimeField()
    allowed = models.PositiveBigIntegerField(default=0)
    refused = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "hour"], name="registries_pullhour_hour"
            )
        ]

    def __str__(self) -> str:
        return f"{self.hour}: {self.allowed} allowed, {self.refused} refused"
