from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from licenses.triggers import SLUG_NOT_RETIRED
from teams.models import (
    Changing,
    TeamOwned,
    notes_changes,
    validate_printable,
    validate_slug,
)

# An image name begins with the application's slug, or with proxy/. On a host that
# serves both, these first words of a path lead elsewhere. Words that begin with "_" or
# ".", such as _catalog, are not valid slugs.
RESERVED_SLUGS = frozenset(
    {
        # Below /v2/, of Berth
        "proxy",
        "token",
        # In the distribution-spec and older ones
        "v1",
        "v2",
        "blobs",
        "manifests",
        "referrers",
        "tags",
        "uploads",
        # Of the portal
        "accounts",
        "admin",
        "api",
        "c",
        "help",
        "invitations",
        "livez",
        "metrics",
        "readyz",
        "registry-notifications",
        "set-up",
        "static",
        "t",
        "theme",
    }
)


class Application(Changing, TeamOwned):
    """Software that a team ships. Its slug is part of image names."""

    name = models.CharField(max_length=150, validators=[validate_printable])
    slug = models.CharField(
        max_length=64,
        unique=True,
        validators=[validate_slug],
        error_messages={"unique": "This slug is taken. Choose another one."},
    )
    # Kept for the record only: left out of lists, and unknown to decisions.
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            # The target of the composite team foreign keys.
            models.UniqueConstraint(
                fields=["team", "id"], name="licenses_application_team"
            )
        ]
        triggers = [SLUG_NOT_RETIRED, notes_changes()]

    def __str__(self) -> str:
        return self.slug

    def clean(self) -> None:
        # An application from before a word was reserved can still be renamed.
        if self.slug in RESERVED_SLUGS and not self._has_it():
            raise ValidationError(
                {"slug": "This slug is reserved. Choose another one."}
            )

    def _has_it(self) -> bool:
        stored = Application.objects.filter(pk=self.pk, slug=self.slug)
        return not self._state.adding and stored.exists()


class RetiredSlug(TeamOwned):
    """The slug that an application had, which no other team may ever take.

    Images in a registry and customers' manifests may still use it for this team.
    """

    slug = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return self.slug


class Channel(Changing, TeamOwned):
    """A line of releases of an application, such as Stable or Beta."""

    application = models.ForeignKey(
        Application, on_delete=models.CASCADE, related_name="channels"
    )
    name = models.CharField(max_length=150, validators=[validate_printable])
    slug = models.CharField(max_length=64, validators=[validate_slug])
    is_default = models.BooleanField(default=False)

    class Meta:
        triggers = [notes_changes()]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "slug"],
                name="licenses_channel_slug",
                violation_error_message="The application has a channel with this slug.",
            ),
            models.UniqueConstraint(
                fields=["application"],
                condition=Q(is_default=True),
                name="licenses_channel_one_default",
            ),
            # The target of the license's foreign key to a channel of its application.
            models.UniqueConstraint(
                fields=["application", "id"], name="licenses_channel_application"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application.slug}/{self.slug}"
