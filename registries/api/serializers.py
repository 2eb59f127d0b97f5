from __future__ import annotations

from typing import Any

from rest_framework import serializers

from registries.models import (
    MAX_PATTERNS,
    MAX_SECRET_BYTES,
    PRIVATE_REGISTRY_SLUG,
    CredentialCheck,
    ExternalRegistry,
    LicenseTraffic,
    PullEvent,
)
from registries.models.health import Outcome
from registries.models.outcomes import Reason
from registries.providers import PROVIDERS
from registries.selectors import credential_in_use
from teams.api.base import InputSerializer, RowSerializer
from teams.permissions import Permission

PROVIDER_CHOICES = [(name, name) for name in PROVIDERS]
MAX_IMAGE_LENGTH = 512
IMAGE_HELP = "A repository with its tag or digest to look up after signing in"
TEST_IMAGE_HELP = (
    "A repository with its tag or digest that each check looks up, to verify that the "
    "account may read it"
)
REASONS = [(reason.value, reason.value) for reason in Reason]


class RegistrySerializer(RowSerializer[ExternalRegistry]):
    """An external registry. The secret of its credential is never returned."""

    applications = serializers.SerializerMethodField(
        help_text="Slugs of the applications that may use it; null means all"
    )
    auth_type = serializers.SerializerMethodField()
    username = serializers.SerializerMethodField(
        help_text="Null unless the caller may manage registries"
    )
    health = serializers.SerializerMethodField(
        help_text="The state confirmed by checks; null before the first one"
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
            "updated_at",
        ]
        not_in_etag = ("health", "health_since", "health_checked_at")

    def get_applications(self, registry: ExternalRegistry) -> list[str] | None:
        if registry.shared_with_all:
            return None
        return sorted(application.slug for application in registry.applications.all())

    def get_auth_type(self, registry: ExternalRegistry) -> str:
        return credential_in_use(registry).auth_type

    def get_username(self, registry: ExternalRegistry) -> str | None:
        if not self.context["view"].actor.may(Permission.REGISTRY_MANAGE):
            return None
        username: str = credential_in_use(registry).username.reveal()
        return username

    def get_health(self, registry: ExternalRegistry) -> Outcome | None:
        return Outcome(registry.health) if registry.health else None


def _optional_text(max_length: int, help_text: str | None = None) -> Any:
    """Return a text field that may be omitted, which is the same as empty."""
    return serializers.CharField(
        max_length=max_length, allow_blank=True, default="", help_text=help_text
    )


class _CredentialFields(InputSerializer):
    """`registries/providers` lists which of these fields a provider needs."""

    auth_type = _optional_text(32, "Default: the provider's usual one")
    username = _optional_text(MAX_SECRET_BYTES)
    secret = serializers.CharField(
        max_length=MAX_SECRET_BYTES,
        trim_whitespace=False,
        write_only=True,
        allow_blank=True,
        default="",
        help_text="Line breaks around it are removed",
    )


class _RegistryFields(_CredentialFields):
    provider = serializers.ChoiceField(choices=PROVIDER_CHOICES)
    endpoint = _optional_text(
        255, "host[:port]; omit it if the provider has a fixed one"
    )
    trusted_realm = _optional_text(
        255, "Host of a token service that may receive the credential"
    )


class NewCredentialSerializer(_CredentialFields):
    skip_test = serializers.BooleanField(
        default=False, help_text="Store it without testing it first"
    )


class NewRegistryTestSerializer(_RegistryFields):
    image = _optional_text(MAX_IMAGE_LENGTH, IMAGE_HELP)


class NewRegistrySerializer(_RegistryFields):
    slug = _optional_text(128, "Default: the endpoint without its port")
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
    test_image = _optional_text(MAX_IMAGE_LENGTH, TEST_IMAGE_HELP)
    skip_test = serializers.BooleanField(
        default=False, help_text="Save without testing the credential first"
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
        help_text="IDs or slugs; null means all",
    )
    repository_patterns = serializers.ListField(
        child=serializers.CharField(max_length=255),
        max_length=MAX_PATTERNS,
        required=False,
    )
    test_image = serializers.CharField(
        max_length=MAX_IMAGE_LENGTH,
        allow_blank=True,
        required=False,
        help_text=TEST_IMAGE_HELP,
    )


class DuplicationSerializer(InputSerializer):
    slug = serializers.CharField(max_length=128)


class RegistryTestSerializer(InputSerializer):
    image = _optional_text(MAX_IMAGE_LENGTH, IMAGE_HELP)


class CheckResultSerializer(serializers.Serializer[Any]):
    """The result of one attempt to sign in."""

    outcome = serializers.ChoiceField(choices=Outcome.choices)
    http_status = serializers.IntegerField(allow_null=True)
    latency_ms = serializers.IntegerField()
    detail = serializers.CharField()


class CredentialCheckSerializer(RowSerializer[CredentialCheck]):
    class Meta:
        model = CredentialCheck
        fields = ["id", "outcome", "http_status", "latency_ms", "detail", "created_at"]


class PullSerializer(RowSerializer[PullEvent]):
    """The number of pulls in one hour with one outcome."""

    application = serializers.CharField(source="application_slug")
    license = serializers.UUIDField(source="license_id", allow_null=True)
    credential = serializers.UUIDField(
        source="credential_id", allow_null=True, help_text="The pull credential"
    )
    credential_name = serializers.CharField(help_text="Its name at that time")
    registry = serializers.SerializerMethodField(
        help_text="Its slug at that time, `private-registry` for the private registry; "
        "null if a pull was refused before any registry was asked"
    )
    stale = serializers.IntegerField(
        help_text="How many of these were answered from the cache while the registry "
        "was unavailable"
    )

    class Meta:
        model = PullEvent
        fields = [
            "id",
            "hour",
            "application",
            "license",
            "credential",
            "credential_name",
            "holder",
            "registry",
            "repository",
            "reference",
            "outcome",
            "count",
            "stale",
            "last_at",
        ]

    def get_registry(self, pull: PullEvent) -> str | None:
        if pull.is_private:
            return PRIVATE_REGISTRY_SLUG
        return pull.registry_slug or None


class LicenseTrafficSerializer(RowSerializer[LicenseTraffic]):
    """The bytes sent through the proxy with a license in one day (UTC)."""

    bytes = serializers.IntegerField()

    class Meta:
        model = LicenseTraffic
        fields = ["id", "day", "bytes"]


class AuthorizationRequestSerializer(InputSerializer):
    """One credential (`license`, `license_id` or `password`), and what to pull."""

    license = serializers.UUIDField(required=False)
    license_id = serializers.CharField(max_length=100, required=False)
    username = serializers.CharField(max_length=254, allow_blank=True, default="")
    password = serializers.CharField(
        max_length=1000,
        trim_whitespace=False,
        required=False,
        help_text=(
            "A license ID, a pull credential or an API token; never an account password"
        ),
    )
    image = serializers.CharField(
        max_length=1000,
        required=False,
        help_text="As typed, even with `docker pull`; instead of the next three",
    )
    application = serializers.CharField(
        max_length=64,
        required=False,
        help_text="Slug; beside an image, only if its name does not contain it",
    )
    upstream = serializers.CharField(
        max_length=255,
        allow_null=True,
        default=None,
        help_text="Slug or host of an external registry; null means the private one",
    )
    repository = serializers.CharField(max_length=512, allow_blank=True, default="")
    address = serializers.IPAddressField(
        allow_null=True,
        default=None,
        help_text=(
            "The client's; without it, the networks of a pull credential are not "
            "compared, and the trace lists them"
        ),
    )
    trace = serializers.BooleanField(
        default=False, help_text="Return the steps of the decision"
    )


class StepSerializer(serializers.Serializer[Any]):
    check = serializers.CharField()
    passed = serializers.BooleanField()
    detail = serializers.CharField()


class DecisionSerializer(serializers.Serializer[Any]):
    allowed = serializers.BooleanField()
    reason = serializers.ChoiceField(choices=REASONS, allow_null=True)
    message = serializers.CharField(help_text="The sentence that the customer sees")
    repository = serializers.CharField(
        allow_null=True, help_text="The full name on the registry"
    )
    registry = serializers.CharField(
        allow_null=True, help_text="Slug of the external registry"
    )
    trace = StepSerializer(many=True, allow_null=True)
