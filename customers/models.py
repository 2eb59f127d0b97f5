from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from customers.accent import is_color
from licenses.models import Application, Customer, License, NoticeKind
from teams.models import (
    Changing,
    LowerCaseEmailField,
    TeamOwned,
    TeamOwnedQuerySet,
    notes_changes,
    validate_printable,
)

LINK_LIFETIME = timedelta(days=7)
# No other scheme: a link that runs a script would run it on the customers' pages.
validate_web_address = URLValidator(
    schemes=["https", "http"], message="Enter an address that begins with https://."
)


def validate_color(text: str) -> None:
    if not is_color(text):
        raise ValidationError("Enter a color such as #1b55a6.")


def name_for_customer(license: License) -> str:
    """Return what a customer is told that a license is for, such as "App, Stable"."""
    return f"{license.application.name}, {license.channel.name}"


class ContactRole(models.TextChoices):
    """What a contact may do on the customer's pages."""

    ADMINISTRATOR = "administrator", "Administrator"
    READER = "reader", "Reader"


class Contact(Changing, TeamOwned):
    """A person at a customer: whoever shows that they read this address's mail.

    There is no link to an account. A contact is the user with this proven address, so
    that an account which changes its address stops being one.
    """

    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="contacts"
    )
    email = LowerCaseEmailField(max_length=254)
    name = models.CharField(max_length=150, blank=True, validators=[validate_printable])
    role = models.CharField(max_length=16, choices=ContactRole.choices)
    # By label, so that it outlives the account.
    invited_by = models.CharField(max_length=254, editable=False)
    last_seen_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        triggers = [notes_changes("last_seen_at")]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "email"],
                name="customers_contact_once",
                violation_error_message="This person is already a contact.",
            ),
            models.UniqueConstraint(
                fields=["team", "id"], name="customers_contact_team"
            ),
            models.CheckConstraint(
                condition=Q(role__in=ContactRole.values), name="customers_contact_role"
            ),
        ]
        indexes = [models.Index(fields=["email"], name="customers_contact_email")]

    def __str__(self) -> str:
        return self.email

    @property
    def is_administrator(self) -> bool:
        return self.role == ContactRole.ADMINISTRATOR

    @property
    def last_link(self) -> CustomerLink | None:
        """Return the link sent last; of contacts that came with their links."""
        return next(iter(self.links.all()), None)


class CustomerLinkQuerySet(TeamOwnedQuerySet["CustomerLink"]):
    def open(self) -> Self:
        """Keep links that still sign their contact in."""
        return self.filter(
            used_at=None, withdrawn_at=None, expires_at__gt=timezone.now()
        )

    def in_state(self, state: str) -> Self:
        """Keep links in one of ``CustomerLink.STATES``."""
        if state == "used":
            return self.exclude(used_at=None)
        unused = self.filter(used_at=None)
        if state == "withdrawn":
            return unused.exclude(withdrawn_at=None)
        if state == "expired":
            return unused.filter(withdrawn_at=None, expires_at__lte=timezone.now())
        return self.open().filter(opened_at__isnull=state == "sent")


class CustomerLink(TeamOwned):
    """One mail to a contact, with a link that signs them in once.

    Only a digest of the link's secret is stored. ``created_at`` is when it was sent.
    With ``license`` the mail is about this license, and the link leads to it.
    """

    STATES = ("sent", "opened", "used", "expired", "withdrawn")

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="links")
    license = models.ForeignKey(
        License,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    digest = models.CharField(max_length=100, unique=True, editable=False)
    message = models.CharField(
        max_length=300, blank=True, validators=[validate_printable]
    )
    sent_by = models.CharField(max_length=254, editable=False)
    expires_at = models.DateTimeField(editable=False)
    # When the page of the link was first shown: to a person, or to a mail scanner.
    opened_at = models.DateTimeField(null=True, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)
    withdrawn_at = models.DateTimeField(null=True, editable=False)

    objects = CustomerLinkQuerySet.as_manager()  # type: ignore[misc]  # narrower

    class Meta:
        indexes = [
            models.Index(
                fields=["contact", "-created_at", "-id"], name="customers_link_page"
            )
        ]

    def __str__(self) -> str:
        return f"{self.contact.email}, {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def license_name(self) -> str:
        """Return what the mail calls its license, or nothing without one."""
        return name_for_customer(self.license) if self.license else ""

    @property
    def state(self) -> str:
        """Return one of ``STATES``; a link that is sent or opened can be used."""
        if self.used_at is not None:
            return "used"
        if self.withdrawn_at is not None:
            return "withdrawn"
        if self.expires_at <= timezone.now():
            return "expired"
        return "opened" if self.opened_at is not None else "sent"


class VendorLook(Changing, TeamOwned):
    """How a team's customers see it; a team without one looks like Berth."""

    display_name = models.CharField(
        max_length=150, blank=True, validators=[validate_printable]
    )
    accent = models.CharField(max_length=7, blank=True, validators=[validate_color])
    support_email = models.EmailField(max_length=254, blank=True)
    support_url = models.CharField(
        max_length=500, blank=True, validators=[validate_web_address]
    )
    # Where answers to mails to contacts go.
    reply_to = models.EmailField(max_length=254, blank=True)
    logo = models.BinaryField(null=True, editable=False)
    logo_type = models.CharField(max_length=16, blank=True, editable=False)
    # SHA-256; the logo's address contains it, so that browsers may keep it for good.
    logo_digest = models.CharField(
        max_length=64, blank=True, editable=False, db_index=True
    )

    class Meta:
        triggers = [notes_changes()]
        constraints = [
            models.UniqueConstraint(fields=["team"], name="customers_vendorlook_team"),
            models.CheckConstraint(
                condition=Q(logo__isnull=True, logo_type="", logo_digest="")
                | Q(logo__isnull=False, logo_type__in=["image/png", "image/jpeg"])
                & ~Q(logo_digest=""),
                name="customers_vendorlook_logo",
            ),
        ]

    def __str__(self) -> str:
        return self.team.name

    @property
    def name(self) -> str:
        """Return what the team is called on its customers' pages."""
        return self.display_name or self.team.name


class MailChoice(Changing, TeamOwned):
    """Which kinds of notice a team mails to contacts; without one, the usual kinds."""

    kinds = ArrayField(models.CharField(max_length=32), blank=True)

    class Meta:
        triggers = [notes_changes()]
        constraints = [
            models.UniqueConstraint(fields=["team"], name="customers_mailchoice_team")
        ]

    def __str__(self) -> str:
        return ", ".join(self.kinds)


class Unsubscription(TeamOwned):
    """A kind of notice that a contact does not want by mail."""

    contact = models.ForeignKey(
        Contact, on_delete=models.CASCADE, related_name="unsubscriptions"
    )
    kind = models.CharField(max_length=32, choices=NoticeKind.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "kind"], name="customers_unsubscription_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.contact_id}: {self.kind}"


class ListedImage(TeamOwned):
    """An image that customers of an application are shown first, in ``position``.

    ``name`` is the name to pull it by without the host, with a tag or digest:
    ``proxy/<application>/<registry>/<repository>:<tag>``, or
    ``<application>/<image>:<tag>`` in the private registry.
    """

    application = models.ForeignKey(
        Application, on_delete=models.CASCADE, related_name="listed_images"
    )
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=500)
    description = models.CharField(
        max_length=200, blank=True, validators=[validate_printable]
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "position"],
                name="customers_listedimage_position",
            ),
            models.UniqueConstraint(
                fields=["application", "name"], name="customers_listedimage_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name
