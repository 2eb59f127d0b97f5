from __future__ import annotations

from typing import Any

from rest_framework import serializers

from audit.models import AuditEvent
from teams.actors import Actor
from teams.api.base import InputSerializer, InstantField, RowSerializer
from teams.models import ApiToken, Invitation, Membership, ServiceAccount, Team
from teams.permissions import Permission, Role

ROLES = [(role.value, role.value) for role in Role]
PERMISSIONS = [(permission.value, permission.value) for permission in Permission]


class TeamSerializer(RowSerializer[Team]):
    role = serializers.SerializerMethodField(help_text="Your role in this team")
    permissions = serializers.SerializerMethodField(
        help_text="Your permissions with this login"
    )

    class Meta:
        model = Team
        fields = [
            "id",
            "name",
            "slug",
            "time_zone",
            "require_second_factor",
            "customers_make_credentials",
            "created_at",
            "updated_at",
            "role",
            "permissions",
        ]
        not_in_etag = ("role", "permissions")

    def get_role(self, team: Team) -> str:
        return self._actor.role.value

    def get_permissions(self, team: Team) -> list[str]:
        return sorted(self._actor.permissions)

    @property
    def _actor(self) -> Actor:
        actor: Actor = self.context["view"].actor
        return actor


class TeamChangesSerializer(InputSerializer):
    name = serializers.CharField(max_length=150, required=False)
    time_zone = serializers.CharField(
        max_length=64, required=False, help_text="Such as Europe/Berlin"
    )
    require_second_factor = serializers.BooleanField(
        required=False,
        help_text="Locks members without one out of pages and API sessions",
    )
    customers_make_credentials = serializers.BooleanField(
        required=False,
        help_text="Lets license holders make and rotate pull credentials by API",
    )


class MemberSerializer(RowSerializer[Membership]):
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")

    class Meta:
        model = Membership
        fields = ["id", "user_id", "email", "name", "role", "created_at", "updated_at"]


class MemberChangesSerializer(InputSerializer):
    role = serializers.ChoiceField(choices=ROLES)
    keep_api_tokens = serializers.ListField(
        child=serializers.UUIDField(),
        default=list,
        help_text="IDs of API tokens that keep working, though they may do more",
    )


class InvitationSerializer(RowSerializer[Invitation]):
    class Meta:
        model = Invitation
        fields = [
            "id",
            "email",
            "role",
            "invited_by_id",
            "expires_at",
            "created_at",
            "updated_at",
        ]


class SentInvitationSerializer(InvitationSerializer):
    link = serializers.CharField(
        read_only=True,
        help_text="Where to accept if the mail fails; only shown now. Only the mailed "
        "link proves the address",
    )

    class Meta(InvitationSerializer.Meta):
        fields = [*InvitationSerializer.Meta.fields, "link"]


class NewInvitationSerializer(InputSerializer):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=ROLES)


class ServiceAccountSerializer(RowSerializer[ServiceAccount]):
    class Meta:
        model = ServiceAccount
        fields = ["id", "name", "role", "created_by_id", "created_at", "updated_at"]


class NewServiceAccountSerializer(InputSerializer):
    name = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(choices=ROLES)


class ServiceAccountChangesSerializer(InputSerializer):
    name = serializers.CharField(max_length=150, required=False)
    role = serializers.ChoiceField(choices=ROLES, required=False)


class ApiTokenSerializer(RowSerializer[ApiToken]):
    role = serializers.SerializerMethodField(help_text="A team token's own role")

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "kind",
            "name",
            "user_id",
            "service_account_id",
            "role",
            "read_only",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "created_by_id",
            "created_at",
        ]
        not_in_etag = ("last_used_at",)

    def get_role(self, api_token: ApiToken) -> Role | None:
        return Role(api_token.role) if api_token.role else None


class CreatedApiTokenSerializer(ApiTokenSerializer):
    token = serializers.CharField(read_only=True, help_text="Only shown now")

    class Meta(ApiTokenSerializer.Meta):
        fields = [*ApiTokenSerializer.Meta.fields, "token"]


class NewApiTokenSerializer(InputSerializer):
    kind = serializers.ChoiceField(choices=ApiToken.Kind.choices)
    name = serializers.CharField(max_length=150)
    service_account = serializers.CharField(
        max_length=150,
        allow_null=True,
        default=None,
        help_text="ID or name, for kind service_account",
    )
    role = serializers.ChoiceField(
        choices=ROLES, allow_null=True, default=None, help_text="For kind team"
    )
    read_only = serializers.BooleanField(default=False)  # type: ignore[assignment]  # not Field.read_only
    expires_at = InstantField(allow_null=True, default=None)


class AuditEventSerializer(RowSerializer[AuditEvent]):
    data: Any = serializers.DictField(child=serializers.JSONField(allow_null=True))

    class Meta:
        model = AuditEvent
        fields = [
            "id",
            "tag",
            "actor_kind",
            "actor_id",
            "actor_label",
            "subject_kind",
            "subject_id",
            "subject_label",
            "data",
            "address",
            "request_id",
            "created_at",
        ]
