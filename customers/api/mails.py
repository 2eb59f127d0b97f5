from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import MailChoice
from customers.selectors import mail_choice
from customers.services.mail_choices import choose_mails
from licenses.models import NoticeKind
from teams.api.base import InputSerializer, RowSerializer, TeamView
from teams.api.conditions import conditional
from teams.locks import lock_team
from teams.permissions import Permission

KINDS = [(kind.value, kind.value) for kind in NoticeKind]


class MailChoiceSerializer(RowSerializer[MailChoice]):
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=KINDS),
        help_text="Contacts get these mails, unless they unsubscribe",
    )

    class Meta:
        model = MailChoice
        fields = ["kinds", "updated_at"]


class MailChoiceChangesSerializer(InputSerializer):
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=KINDS),
        max_length=100,
        help_text="Empty for none",
    )


class MailChoiceView(TeamView[MailChoice]):
    serializer_class = MailChoiceSerializer

    def target(self) -> MailChoice:
        return mail_choice(self.team)

    def lock(self, row: MailChoice) -> None:
        lock_team(row.team_id)

    def get(self, request: Request) -> Response:
        """Read which mails about licenses the contacts of your customers get."""
        self.require(Permission.TEAM_READ)
        return self.stored()

    @extend_schema(request=MailChoiceChangesSerializer)
    @conditional(Permission.TEAM_MANAGE)
    def patch(self, request: Request) -> Response:
        """Change which mails about licenses the contacts of your customers get."""
        self.require(Permission.TEAM_MANAGE)
        values = self.validated(MailChoiceChangesSerializer)
        choose_mails(actor=self.actor, team=self.team, **values)
        return self.stored()
