from __future__ import annotations

from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from alerts.webhook_url import MalformedUrl, parse_webhook_url
from portal.crypto.fields import EncryptedField
from teams.models import (
    Changing,
    Made,
    Membership,
    TeamOwned,
    TeamOwnedQuerySet,
    User,
    notes_changes,
    validate_printable,
)


def validate_webhook_url(text: str) -> None:
    """Validate that the text is a URL that a webhook can be sent to."""
    try:
        parse_webhook_url(text, plain_hosts=settings.BERTH_INSECURE_WEBHOOKS)
    except MalformedUrl as error:
        raise ValidationError(str(error)) from error


class Alert(TeamOwned):
    """One event of a team, stored in the transaction of the change that caused it.

    ``key`` identifies the event: the same key never causes a second alert. ``data``
    never contains a secret. ``is_for_programs`` is the property of the event, stored so
    that the list of alerts need not read the many that it does not show.

    One member acknowledges an alert for the whole team. Their label is stored, so that
    it stays when they leave.
    """

    event = models.CharField(max_length=64)
    key = models.CharField(max_length=200)
    subject_id = models.UUIDField()
    subject_label = models.CharField(max_length=254)
    message = models.CharField(max_length=1000)
    data = models.JSONField(default=dict)
    is_for_programs = models.BooleanField(default=False, editable=False)
    # Set once a delivery has been made for each recipient.
    dispatched_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True, editable=False)
    acknowledged_by = models.CharField(max_length=254, blank=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(acknowledged_at__isnull=True, acknowledged_by="")
                | (Q(acknowledged_at__isnull=False) & ~Q(acknowledged_by="")),
                name="alerts_alert_acknowledged_by",
            ),
            models.UniqueConstraint(fields=["team", "key"], name="alerts_alert_once"),
            models.UniqueConstraint(fields=["team", "id"], name="alerts_alert_team"),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(dispatched_at__isnull=True),
                name="alerts_alert_waiting",
            ),
            models.Index(
                fields=["team", "-created_at", "-id"],
                condition=Q(is_for_programs=False),
                name="alerts_page",
            ),
            # Few rows, which every page of the team counts.
            models.Index(
                fields=["team", "-created_at", "-id"],
                condition=Q(acknowledged_at__isnull=True, is_for_programs=False),
                name="alerts_unacknowledged",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.subject_label}"


class Subscription(TeamOwned):
    """The events that a member has chosen to get by mail.

    Without a choice, owners and admins get all alerts, others none.
    """

    membership = models.OneToOneField(
        Membership, on_delete=models.CASCADE, related_name="alert_subscription"
    )
    events = ArrayField(models.CharField(max_length=64), blank=True)

    def __str__(self) -> str:
        return str(self.membership_id)


class Webhook(Changing, Made):
    """A URL of the team to which signed alerts are posted.

    ``secret`` signs; for a day after a replacement ``previous_secret`` signs too.
    ``created_by`` made the current secret.
    """

    name = models.CharField(max_length=150, validators=[validate_printable])
    url = models.CharField(max_length=2000, validators=[validate_webhook_url])
    events = ArrayField(models.CharField(max_length=64))
    secret = EncryptedField(editable=False)
    previous_secret = EncryptedField(  # type: ignore[misc]  # null if none
        null=True, blank=True, editable=False
    )
    previous_secret_until = models.DateTimeField(null=True, editable=False)
    # How many alerts in a row could not be delivered, after all attempts.
    failures = models.PositiveSmallIntegerField(default=0, editable=False)
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        # A new secret sets previous_secret_until.
        triggers = [notes_changes("failures", "secret", "previous_secret")]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "name"],
                name="alerts_webhook_name",
                violation_error_message="Another webhook has this name.",
            ),
            models.UniqueConstraint(fields=["team", "id"], name="alerts_webhook_team"),
            models.CheckConstraint(
                condition=~Q(events=[]),
                name="alerts_webhook_events",
                violation_error_message="Choose at least one event.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def secret_label(self) -> str:
        return f"webhook {self.name}"

    @property
    def has_previous_secret(self) -> bool:
        """Return whether the replaced secret still signs too."""
        until = self.previous_secret_until
        return until is not None and until > timezone.now()


class DeliveryState(models.TextChoices):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class DeliveryQuerySet(TeamOwnedQuerySet["Delivery"]):
    def due(self) -> Self:
        """Keep what is to be sent now: pending and not claimed."""
        return self.filter(state=DeliveryState.PENDING, due_at__lte=timezone.now())

    def in_progress(self) -> Self:
        """Keep what a worker is sending now."""
        return self.filter(
            state=DeliveryState.PENDING, is_claimed=True, due_at__gt=timezone.now()
        )


class Delivery(TeamOwned):
    """One alert for one recipient: a webhook or the mail address of a user."""

    alert = models.ForeignKey(
        Alert, on_delete=models.CASCADE, related_name="deliveries"
    )
    webhook = models.ForeignKey(
        Webhook, null=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    user = models.ForeignKey(
        User, null=True, on_delete=models.CASCADE, related_name="+"
    )
    state = models.CharField(
        max_length=16, choices=DeliveryState.choices, default=DeliveryState.PENDING
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    # When it is sent next; during an attempt, when the claim expires.
    due_at = models.DateTimeField(default=timezone.now)
    # Whether a worker is sending it, unless ``due_at`` has passed.
    is_claimed = models.BooleanField(default=False, db_default=False, editable=False)
    finished_at = models.DateTimeField(null=True)
    http_status = models.PositiveSmallIntegerField(null=True)
    detail = models.CharField(max_length=300, blank=True)

    objects = DeliveryQuerySet.as_manager()  # type: ignore[misc]  # narrower

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "webhook"],
                condition=Q(webhook__isnull=False),
                name="alerts_delivery_webhook_once",
            ),
            models.UniqueConstraint(
                fields=["alert", "user"],
                condition=Q(user__isnull=False),
                name="alerts_delivery_user_once",
            ),
            models.CheckConstraint(
                condition=Q(webhook__isnull=True, user__isnull=False)
                | Q(webhook__isnull=False, user__isnull=True),
                name="alerts_delivery_one_recipient",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(state="pending"),
                name="alerts_delivery_due",
            ),
            models.Index(
                fields=["due_at"],
                condition=Q(state="pending", is_claimed=True),
                name="alerts_delivery_claimed",
            ),
            models.Index(
                fields=["finished_at"],
                condition=Q(finished_at__isnull=False),
                name="alerts_delivery_finished",
            ),
            models.Index(
                F("webhook"), F("created_at").desc(), name="alerts_delivery_page"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id}: {self.state}"

    @property
    def next_attempt_at(self) -> datetime | None:
        """Return when it is tried next, or None if it has ended."""
        return self.due_at if self.state == DeliveryState.PENDING else None
