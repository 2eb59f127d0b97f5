from __future__ import annotations

from typing import Any

from rest_framework import serializers

from registries.decision.steps import Reason
from registries.models import (
    MAX_PATTERNS,
    MAX_SECRET_BYTES,
    PRIVATE_REGISTRY_SLUG,
    Credential,
    CredentialCheck,
    ExternalRegistry,
    PullEvent,
)
from registries.models.health import Outcome
from registries.providers import PROVIDERS
from teams.api.base import InputSerializer
from teams.permissions import Permission

PROVIDER_CHOICES = [(name, name) for name in PROVIDERS]
REASONS = [(reason.value, reason.value) for reason in Reason]


class RegistrySerializer(serializers.ModelSerializer[ExternalRegistry]):
    """An external registry. The secret of its credential never comes out."""

    applications = serializers.SerializerMethodField(
        help_text="Slugs of the applications that may use it; null is all"
    )
    auth_type = serializers.SerializerMethodField()
    username = serializers.SerializerMethodField(
        help_text="Null for who may not manage registries"
    )
    health = serializers.SerializerMethodField(
        help_text="What checks have confirmed; null before the first one"
    )

    class Meta:
        model = ExternalRegistry
        fields = [
            "id",
            "provider",
            "endpoint",
            "slug",
            "trusted_realm",
            "shared_with_all",
            "applications",
            "repository_patterns",
            "test_image",
            "auth_type",
            "username",
            "health",
            "health_since",
            "health_checked_at",
            "created_at",
        ]
        read_only_fields = fields

    def get_applications(self, registry: ExternalRegistry) -> list[str] | None:
        if registry.shared_with_all:
            return None
        return sorted(each.slug for each in registry.applications.all())

    def get_auth_type(self, registry: ExternalRegistry) -> str:
        return _credential(registry).auth_type

    def get_username(self, registry: ExternalRegistry) -> str | None:
        if not self.context["view"].actor.may(Permission.REGISTRY_MANAGE):
            return None
        username: str = _credential(registry).username.reveal()
        return username

    def get_health(self, registry: ExternalRegistry) -> Outcome | None:
        return Outcome(registry.health) if registry.health else None


def _credential(registry: ExternalRegistry) -> Credential:
    active: list[Credential] = registry.active_credentials  # type: ignore[attr-defined]  # prefetched
    return active[0]


class _CredentialFields(InputSerializer):
    """Which of them a provider asks for, `registries/providers` tells."""

    auth_type = serializers.CharField(
        max_length=32,
        allow_blank=True,
        default="",
        help_text="The provider's usual one if left out",
    )
    username = serializers.CharField(
        max_length=MAX_SECRET_BYTES, allow_blank=True, default=""
    )
    secret = serializers.CharField(
        max_length=MAX_SECRET_BYTES,
        trim_whitespace=False,
        write_only=True,
        allow_blank=True,
        default="",
    )


class NewCredentialSerializer(_CredentialFields):
    skip_test = serializers.BooleanField(
        default=False, help_text="Store it without trying it first"
    )


class NewRegistryTestSerializer(_CredentialFields):
    provider = serializers.ChoiceField(choices=PROVIDER_CHOICES)
    endpoint = serializers.CharField(
        max_length=255,
        allow_blank=True,
        default="",
        help_text="host[:port]; left out for a provider that has only one",
    )
    trusted_realm = serializers.CharField(max_length=255, allow_blank=True, default="")
    image = serializers.CharField(
        max_length=512,
        allow_blank=True,
        default="",
        help_text="A repository with its tag or digest to look up after signing in",
    )


class NewRegistrySerializer(_CredentialFields):
    provider = serializers.ChoiceField(choices=PROVIDER_CHOICES)
    endpoint = serializers.CharField(
        max_length=255,
        allow_blank=True,
        default="",
        help_text="host[:port]; left out for a provider that has only one",
    )
    slug = serializers.CharField(
        max_length=128,
        allow_blank=True,
        default="",
        help_text="The endpoint without its port if left out",
    )
    trusted_realm = serializers.CharField(
        max_length=255,
        allow_blank=True,
        default="",
        help_text="Host of a token service that may be sent the credential",
    )
    shared_with_all = serializers.BooleanField(
        required=False, help_text="True unless applications are named"
    )
    applications = serializers.ListField(
        child=serializers.CharField(max_length=64),
        max_length=1000,
        allow_null=True,
        default=None,
        help_text="IDs or slugs",
    )
    repository_patterns = serializers.ListField(
        child=serializers.CharField(max_length=255),
        max_length=MAX_PATTERNS,
        default=["*"],
    )
    test_image = serializers.CharField(
        max_length=512,
        allow_blank=True,
        default="",
        help_text="A repository with its tag or digest that each check looks up, to "
        "see that the account may read it",
    )
    skip_test = serializers.BooleanField(
        default=False, help_text="Save without trying the credential first"
    )


class RegistryChangesSerializer(InputSerializer):
    slug = serializers.CharField(max_length=128, required=False)
    trusted_realm = serializers.CharField(
        max_length=255, allow_blank=True, required=False
    )
    shared_with_all = serializers.BooleanField(required=False)
    applications = serializers.ListField(
        child=serializers.CharField(max_length=64),
        max_length=1000,
        allow_null=True,
        required=False,
        help_text="IDs or slugs; null is all",
    )
    repository_patterns = serializers.ListField(
        child=serializers.CharField(max_length=255),
        max_length=MAX_PATTERNS,
        required=False,
    )

    test_image = serializers.CharField(
        max_length=512,
        allow_blank=True,
        required=False,
        help_text="A repository with its tag or digest that each check looks up, to "
        "see that the account may read it",
    )


class DuplicationSerializer(InputSerializer):
    slug = serializers.CharField(max_length=128)


class RegistryTestSerializer(InputSerializer):
    image = serializers.CharField(
        max_length=512,
        allow_blank=True,
        default="",
        help_text="A repository with its tag or digest to look up after signing in",
    )


class CheckResultSerializer(serializers.Serializer[Any]):
    """What one attempt to sign in came to."""

    outcome = serializers.ChoiceField(choices=Outcome.choices)
    http_status = serializers.IntegerField(allow_null=True)
    latency_ms = serializers.IntegerField()
    detail = serializers.CharField()


class CredentialCheckSerializer(serializers.ModelSerializer[CredentialCheck]):
    class Meta:
        model = CredentialCheck
        fields = ["id", "outcome", "http_status", "latency_ms", "detail", "created_at"]
        read_only_fields = fields


class PullSerializer(serializers.ModelSerializer[PullEvent]):
    """Pulls of one hour with one outcome, counted."""

    application = serializers.CharField(source="application_slug")
    license = serializers.UUIDField(source="license_id", allow_null=True)
    registry = serializers.SerializerMethodField(
        help_text="Its slug then, `private-registry` for the private registry; null "
        "where a pull was refused before any registry was asked"
    )

    class Meta:
        model = PullEvent
        fields = [
            "id",
            "hour",
            "application",
            "license",
            "holder",
            "registry",
            "repository",
            "reference",
            "outcome",
            "count",
            "last_at",
        ]
        read_only_fields = fields

    def get_registry(self, pull: PullEvent) -> str | None:
        if pull.is_private:
            return PRIVATE_REGISTRY_SLUG
        return pull.registry_slug or None


class AuthorizationRequestSerializer(InputSerializer):
    """One credential, `license`, `license_id` or `password`, and what to pull."""

    license = serializers.UUIDField(required=False)
    license_id = serializers.CharField(max_length=100, required=False)
    username = serializers.CharField(max_length=254, allow_blank=True, default="")
    password = serializers.CharField(
        max_length=1000,
        trim_whitespace=False,
        required=False,
        help_text="A license ID or an API token; never an account's password",
    )
    application = serializers.CharField(max_length=64, help_text="Slug")
    upstream = serializers.CharField(
        max_length=255,
        allow_null=True,
        default=None,
        help_text="Slug or host of an external registry; null is the private registry",
    )
    repository = serializers.CharField(max_length=512, allow_blank=True, default="")
    trace = serializers.BooleanField(
        default=False, help_text="Tell what was asked on the way to the answer"
    )


class StepSerializer(serializers.Serializer[Any]):
    check = serializers.CharField()
    passed = serializers.BooleanField()
    detail = serializers.CharField()


class DecisionSerializer(serializers.Serializer[Any]):
    allowed = serializers.BooleanField()
    reason = serializers.ChoiceField(choices=REASONS, allow_null=True)
    message = serializers.CharField(help_text="What the customer is told")
    repository = serializers.CharField(
        allow_null=True, help_text="The full name on the registry"
    )
    registry = serializers.CharField(
        allow_null=True, help_text="Slug of the external registry"
    )
    trace = StepSerializer(many=True, allow_null=True)
