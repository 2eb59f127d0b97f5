from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from licenses.models import (
    Application,
    Channel,
    License,
    LicenseField,
    PullCredential,
)
from licenses.selectors import effective_field_values
from registries.preview.license_images import RenamedRegistry, ResolvedImage, Result
from teams.api.base import InputSerializer, RowSerializer

MAX_IMAGES = 1000
MAX_IMAGE_LENGTH = 4096
RESULTS = [(result.value, result.value) for result in Result]


class LicensedApplicationSerializer(RowSerializer[Application]):
    class Meta:
        model = Application
        fields = ["slug", "name"]


class LicenseCustomerSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()


class LicenseChannelSerializer(RowSerializer[Channel]):
    class Meta:
        model = Channel
        fields = ["name", "slug"]


class LicenseValueSerializer(serializers.Serializer[Any]):
    """A license field with the license's value, or the field's default."""

    name = serializers.CharField()
    title = serializers.CharField()
    type = serializers.ChoiceField(choices=LicenseField.Type.choices)
    value = serializers.JSONField(allow_null=True, help_text="Null if there is none")
    hidden = serializers.BooleanField()


class HeldPullCredentialSerializer(RowSerializer[PullCredential]):
    can_rotate = serializers.BooleanField(
        read_only=True,
        default=False,
        help_text="Whether your vendor lets you rotate it by this API",
    )

    class Meta:
        model = PullCredential
        fields = ["name", "key", "created_at", "expires_at", "can_rotate"]


class HeldLicenseSerializer(RowSerializer[License]):
    """A license as its holder sees it, without any secret."""

    application = LicensedApplicationSerializer()
    customer = LicenseCustomerSerializer()
    channel = LicenseChannelSerializer()
    proxy_host = serializers.SerializerMethodField(
        help_text="Host to pull images of external registries from: `host[:port]`"
    )
    registry_host = serializers.SerializerMethodField(
        help_text="Host to pull images of the private registry from"
    )
    pull_credential = serializers.SerializerMethodField(
        help_text="The one that you sent as the password; null for a license ID"
    )
    fields = serializers.SerializerMethodField("values_of")  # type: ignore[assignment]  # not Serializer.fields

    class Meta:
        model = License
        fields = [
            "application",
            "customer",
            "channel",
            "type",
            "sequence",
            "expires_at",
            "proxy_host",
            "registry_host",
            "pull_credential",
            "fields",
        ]

    def get_proxy_host(self, _license: License) -> str | None:
        return settings.BERTH_PROXY_HOST or None

    def get_registry_host(self, _license: License) -> str | None:
        return settings.BERTH_REGISTRY_HOST or None

    @extend_schema_field(HeldPullCredentialSerializer(allow_null=True))
    def get_pull_credential(self, license: License) -> dict[str, object] | None:
        credential = self.context["view"].signed_in.credential
        if credential is None:
            return None
        shown = HeldPullCredentialSerializer(credential).data
        return {**shown, "can_rotate": license.team.customers_make_credentials}

    @extend_schema_field(LicenseValueSerializer(many=True))
    def values_of(self, license: License) -> list[dict[str, object]]:
        return [
            {
                "name": field.name,
                "title": field.title,
                "type": field.type,
                "value": value,
                "hidden": field.hidden,
            }
            for field, value in effective_field_values(license)
        ]


class ImagesToResolveSerializer(InputSerializer):
    images = serializers.ListField(
        child=serializers.CharField(
            max_length=MAX_IMAGE_LENGTH, allow_blank=True, trim_whitespace=False
        ),
        min_length=1,
        max_length=MAX_IMAGES,
        help_text="As written in manifests",
    )


class ResolvedImageSerializer(serializers.Serializer[ResolvedImage]):
    image = serializers.CharField(help_text="As sent")
    result = serializers.ChoiceField(choices=RESULTS)
    new_image = serializers.CharField(
        allow_null=True, help_text="The name to pull it by, if the result is `proxied`"
    )
    detail = serializers.CharField(
        help_text="Why this license cannot pull it; empty if it can"
    )


class ResolvedImagesSerializer(serializers.Serializer[Any]):
    images = ResolvedImageSerializer(many=True, help_text="In the order sent")


class RenamedRegistrySerializer(serializers.Serializer[RenamedRegistry]):
    host = serializers.CharField(
        help_text="As images name it, with a port if it has one"
    )
    upstream = serializers.CharField(
        help_text="What stands for the host in the name to pull an image by: "
        "`PROXY/proxy/APPLICATION/UPSTREAM/REPOSITORY`"
    )
    repositories = serializers.ListField(
        child=serializers.CharField(),
        help_text="Patterns of what you can pull; `*` is any characters, `?` is one",
    )


class RenamedRegistriesSerializer(serializers.Serializer[Any]):
    registries = RenamedRegistrySerializer(
        many=True, help_text="The first that has an image serves it"
    )
