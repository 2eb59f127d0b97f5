from __future__ import annotations

import base64
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import VendorLook
from customers.selectors import look_of_team
from customers.services.look import change_logo, change_look
from teams.api.base import InputSerializer, RowSerializer, TeamView
from teams.api.conditions import conditional
from teams.locks import lock_team
from teams.permissions import Permission

_TEXTS = {
    "display_name": "What customers know the team as; empty for its name",
    "accent": "Color such as #1b55a6; empty for Berth's",
    "support_email": "Where customers find help",
    "support_url": "Where customers find help: https:// or http://",
    "reply_to": "Where answers to mails to customers go",
}


class LookSerializer(RowSerializer[VendorLook]):
    # They may be empty, which is no address.
    support_email = serializers.CharField(read_only=True)
    support_url = serializers.CharField(read_only=True)
    reply_to = serializers.CharField(read_only=True)
    logo_url = serializers.SerializerMethodField(
        help_text="Path of the logo; null without one"
    )

    class Meta:
        model = VendorLook
        fields = [*_TEXTS, "logo_url", "updated_at"]

    def get_logo_url(self, look: VendorLook) -> str | None:
        if not look.logo_digest:
            return None
        return reverse("vendor-logo", kwargs={"digest": look.logo_digest})


class LookChangesSerializer(InputSerializer):
    display_name = serializers.CharField(
        max_length=150,
        required=False,
        allow_blank=True,
        help_text=_TEXTS["display_name"],
    )
    accent = serializers.RegexField(
        r"^(#[0-9a-f]{6})?\Z",
        required=False,
        allow_blank=True,
        help_text=_TEXTS["accent"],
    )
    support_email = serializers.EmailField(
        max_length=254,
        required=False,
        allow_blank=True,
        help_text=_TEXTS["support_email"],
    )
    support_url = serializers.CharField(
        max_length=500,
        required=False,
        allow_blank=True,
        help_text=_TEXTS["support_url"],
    )
    reply_to = serializers.EmailField(
        max_length=254, required=False, allow_blank=True, help_text=_TEXTS["reply_to"]
    )
    logo = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=300_000,
        help_text="A PNG or JPEG of at most 200 KB in base64; null removes it",
    )


class LookView(TeamView[VendorLook]):
    serializer_class = LookSerializer

    def target(self) -> VendorLook:
        return look_of_team(self.team)

    def lock(self, row: VendorLook) -> None:
        lock_team(row.team_id)

    def get(self, request: Request) -> Response:
        """Read how your customers see the team."""
        self.require(Permission.TEAM_READ)
        return self.stored()

    @extend_schema(request=LookChangesSerializer)
    @transaction.atomic
    @conditional(Permission.TEAM_MANAGE)
    def patch(self, request: Request) -> Response:
        """Change how your customers see the team."""
        self.require(Permission.TEAM_MANAGE)
        changes: dict[str, Any] = self.validated(LookChangesSerializer)
        if "logo" in changes:
            content = _decoded(changes.pop("logo"))
            change_logo(actor=self.actor, team=self.team, content=content)
        change_look(actor=self.actor, team=self.team, changes=changes)
        return self.stored()


def _decoded(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValidationError({"logo": ["This is not base64."]}) from error
