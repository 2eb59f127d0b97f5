from __future__ import annotations

import uuid
import zoneinfo
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone

from teams.models.changes import Changing, notes_changes
from teams.permissions import Role

# A slug is one component of a repository name (distribution-spec, "Pulling manifests").
validate_slug = RegexValidator(
    r"\A[a-z0-9]+(?:[._-][a-z0-9]+)*\Z",
    "Use lower-case letters and digits, joined by single '.', '_' or '-'.",
)
# PostgreSQL stores no NUL, and no name needs a control character, nor one that reverses
# the text after it, is seen by nobody, or begins a line: other people read the text in
# mails, alerts and logs. Joiners and marks of direction stay: some scripts need them.
validate_printable = RegexValidator(
    r"\A[^\x00-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060\u2066-\u2069\ufeff]*\Z",
    "Control characters are not allowed.",
)

ROLES = [(role.value, role.value) for role in Role]
# How exactly the last use of a token or credential is known.
LAST_USED_PRECISION = timedelta(minutes=1)


@cache
def available_time_zones() -> frozenset[str]:
    """Return the names of all time zones that this machine knows."""
    # Some systems list two names that are not places.
    return frozenset(zoneinfo.available_timezones() - {"Factory", "localtime"})


def validate_time_zone(name: str) -> None:
    """Check that this is the name of a time zone, such as Europe/Berlin."""
    if name not in available_time_zones():
        raise ValidationError("Choose a time zone from the list.")


if TYPE_CHECKING:
    _EmailField = models.EmailField[str, str]
else:
    _EmailField = models.EmailField


class LowerCaseEmailField(_EmailField):
    """An e-mail address that is stored, and looked up, in lower case.

    People write their address in any case, and sign-in compares it exactly.
    """

    def to_python(self, value: Any) -> Any:
        return _lower(super().to_python(value))

    def get_prep_value(self, value: Any) -> Any:
        return _lower(super().get_prep_value(value))


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class UserManager(BaseUserManager["User"]):
    def create_user(
        self, email: str, password: str | None = None, **fields: Any
    ) -> User:
        """Create a user who signs in with this e-mail address."""
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str, **fields: Any) -> User:
        """Create a platform operator, who may sign in to the Django admin."""
        return self.create_user(
            email, password, is_staff=True, is_superuser=True, **fields
        )

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Their permissions come from their memberships."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = LowerCaseEmailField(max_length=254, unique=True)
    name = models.CharField(max_length=150, blank=True, validators=[validate_printable])
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(
        default=False, help_text="May sign in to the Django admin of this installation."
    )
    # False if they joined through the link that the inviter saw too: see ADR 20.
    is_address_proven = models.BooleanField(default=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="teams_user_email",
                violation_error_message="A user with this e-mail address exists.",
            )
        ]

    def __str__(self) -> str:
        return self.email


class Team(Changing):
    """A vendor: owns everything else."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=150, validators=[validate_printable])
    slug = models.CharField(max_length=64, unique=True, validators=[validate_slug])
    # Instants are entered and displayed in this zone, and stored in UTC.
    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone]
    )
    # Without one, members see nothing of the team, and their password cannot pull.
    require_second_factor = models.BooleanField(default=False)
    # With a license alone, through the API for license holders.
    customers_make_credentials = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        triggers = [notes_changes()]

    def __str__(self) -> str:
        return self.name


OwnedT_co = TypeVar("OwnedT_co", bound=models.Model, covariant=True)


class TeamOwnedQuerySet(models.QuerySet[OwnedT_co]):
    def for_team(self, team_id: uuid.UUID) -> Self:
        """Start every query here: nothing is reachable without a team in hand."""
        return self.filter(team_id=team_id)

    def count_per(self, owner: str) -> Coalesce:
        """Return a count of these rows for each of the outer query's rows.

        ``owner`` names the foreign key to the outer query's table.
        """
        own = self.filter(**{owner: OuterRef("pk")}).order_by()
        counted = own.values(owner).annotate(number=Count("*")).values("number")
        return Coalesce(Subquery(counted), 0)


class TeamOwned(models.Model):
    """A row that belongs to one team and never moves to another."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TeamOwnedQuerySet.as_manager()

    class Meta:
        abstract = True


class Made(TeamOwned):
    """A credential, or the account of one, that somebody in the team made.

    Its maker may have kept the secret. So the row names the person, even one who acted
    through an API token. Null if Berth made it.
    """

    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta(TeamOwned.Meta):
        abstract = True

    @property
    def secret_label(self) -> str:
        """Return what to call its secret when its maker leaves; "" if it has none."""
        return ""


class Membership(Changing, TeamOwned):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=ROLES)

    class Meta:
        triggers = [notes_changes()]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "user"],
                name="teams_membership_once",
                violation_error_message="This person is already a member.",
            ),
            models.UniqueConstraint(
                fields=["team", "id"], name="teams_membership_team"
            ),
            models.CheckConstraint(
                condition=Q(role__in=[role.value for role in Role]),
                name="teams_membership_role",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user.email} ({self.role})"


class Invitation(Changing, TeamOwned):
    """An offer to join the team, sent to one e-mail address.

    The link in the mail holds a secret, of which only a digest is stored.
    """

    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=16, choices=ROLES)
    digest = models.CharField(max_length=100, unique=True, editable=False)
    # Goes with its sender, who otherwise could come back through it.
    invited_by = models.ForeignKey(
        User, null=True, on_delete=models.CASCADE, related_name="+", editable=False
    )
    # The token of a service account or the team that sent it, if one did. It goes with
    # that token: without it, its sender would seem to be the person.
    sent_with = models.ForeignKey(
        "ApiToken",
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        editable=False,
    )
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        triggers = [notes_changes()]
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=[role.value for role in Role]),
                name="teams_invitation_role",
            ),
            models.UniqueConstraint(
                F("team"),
                Lower("email"),
                condition=Q(accepted_at__isnull=True),
                name="teams_invitation_open",
                violation_error_message="This person is already invited.",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def is_open(self) -> bool:
        """Return whether it can still be accepted."""
        return self.accepted_at is None and self.expires_at > timezone.now()

    def is_for(self, user: User) -> bool:
        """Return whether it was sent to this user's address."""
        return self.email.lower() == user.email.lower()


class ServiceAccount(Changing, Made):
    """An identity for automation, with a role of its own."""

    name = models.CharField(max_length=150, validators=[validate_printable])
    role = models.CharField(max_length=16, choices=ROLES)

    class Meta:
        triggers = [notes_changes()]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "name"],
                name="teams_serviceaccount_name",
                violation_error_message="A service account with this name exists.",
            ),
            models.UniqueConstraint(
                fields=["team", "id"], name="teams_serviceaccount_team"
            ),
            models.CheckConstraint(
                condition=Q(role__in=[role.value for role in Role]),
                name="teams_serviceaccount_role",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ApiTokenQuerySet(TeamOwnedQuerySet["ApiToken"]):
    def usable(self) -> Self:
        """Leave out revoked and expired tokens."""
        unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, revoked_at__isnull=True)

    def stopped(self) -> Self:
        """Keep only revoked and expired tokens."""
        expired = Q(expires_at__lte=timezone.now())
        return self.filter(expired | Q(revoked_at__isnull=False))


class ApiToken(Made):
    """A credential of people and CI: ``berth_<kind>_<key>_<secret>``.

    Only the key, and an HMAC digest of the whole token, are stored.
    """

    class Kind(models.TextChoices):
        USER = "user"
        SERVICE_ACCOUNT = "service_account"
        TEAM = "team"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    name = models.CharField(max_length=150, validators=[validate_printable])
    user = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    service_account = models.ForeignKey(
        ServiceAccount,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="api_tokens",
    )
    role = models.CharField(max_length=16, choices=ROLES, blank=True)
    read_only = models.BooleanField(default=False)
    # The token that created this one; null if a browser session did.
    created_with = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="made"
    )
    key = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=100, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()  # type: ignore[misc]  # narrower

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "id"], name="teams_apitoken_team"),
            models.CheckConstraint(
                name="teams_apitoken_holder",
                violation_error_message=(
                    "Only a team token has a role, and only a service-account token "
                    "names a service account."
                ),
                condition=(
                    Q(kind="user", user__isnull=False, service_account__isnull=True)
                    & Q(role="")
                )
                | (
                    Q(kind="service_account", user__isnull=True)
                    & Q(service_account__isnull=False, role="")
                )
                | (
                    Q(kind="team", user__isnull=True, service_account__isnull=True)
                    & Q(role__in=[role.value for role in Role])
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def fixed_role(self) -> str:
        """Return the role that does not follow its maker's; "" of a user token."""
        return self.service_account.role if self.service_account else self.role

    @property
    def state(self) -> str:
        """``revoked``, ``expired`` or ``active``."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return "expired"
        return "active"
