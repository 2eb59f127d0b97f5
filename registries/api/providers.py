"""The kinds of registries, for clients that build their own form."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from registries.models import ExternalRegistry
from registries.providers import PROVIDERS, AuthType
from registries.providers.amazon import web_identity
from teams.api.base import TeamView
from teams.permissions import Permission


class TrustSerializer(serializers.Serializer[Any]):
    """The identity provider, and the claims of its tokens for this team."""

    issuer = serializers.CharField()
    audience = serializers.CharField()
    subject = serializers.CharField()


class AuthTypeSerializer(serializers.Serializer[Any]):
    """A way to sign in, and the fields it needs."""

    name = serializers.CharField()
    title = serializers.CharField()
    username_label = serializers.CharField()
    username_help = serializers.CharField()
    fixed_username = serializers.CharField(help_text="If set, omit the username")
    secret_label = serializers.CharField()
    secret_help = serializers.CharField()
    has_secret = serializers.BooleanField(help_text="If false, omit the secret")
    trust = serializers.SerializerMethodField(
        help_text="What the vendor's cloud account must trust; null if nothing"
    )

    @extend_schema_field(TrustSerializer(allow_null=True))
    def get_trust(self, auth_type: AuthType) -> dict[str, str] | None:
        if not auth_type.trusts_berth or not web_identity.is_available():
            return None
        return {
            "issuer": settings.BERTH_ISSUER_URL,
            "audience": web_identity.AUDIENCE,
            "subject": web_identity.subject(self.context["view"].team_id),
        }


class ProviderSerializer(serializers.Serializer[Any]):
    """A kind of registry, and the fields needed to add one."""

    name = serializers.CharField()
    title = serializers.CharField()
    fixed_endpoint = serializers.CharField(
        allow_null=True, help_text="If set, omit the endpoint"
    )
    usual_endpoint = serializers.CharField()
    endpoint_example = serializers.CharField()
    endpoint_help = serializers.CharField()
    auth_types = AuthTypeSerializer(many=True, help_text="The usual one first")
    help = serializers.ListField(child=serializers.CharField())
    help_url = serializers.CharField()
    test_help = serializers.CharField()


class ProvidersView(TeamView[ExternalRegistry]):
    serializer_class = ProviderSerializer
    queryset = ExternalRegistry.objects.none()  # for the schema; providers are code

    def get(self, request: Request) -> Response:
        """List the kinds of registries, and the fields each needs."""
        self.require(Permission.REGISTRY_READ)
        context = self.get_serializer_context()
        rows = ProviderSerializer(PROVIDERS.values(), many=True, context=context).data
        return Response({"next": None, "previous": None, "results": rows})
