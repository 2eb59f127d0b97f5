from __future__ import annotations

from typing import Any

from rest_framework import serializers

from licenses.models import (
    MAX_NETWORKS,
    Application,
    Channel,
    CredentialState,
    Customer,
    License,
    LicenseField,
    LicenseState,
    PullCredential,
)
from licenses.selectors import shown_field_values
from teams.api.base import InputSerializer, InstantField, RowSerializer
from teams.permissions import Permission

STATES = [(state.value, state.value) for state in LicenseState]
CREDENTIAL_STATES = [(state.value, state.value) for state in CredentialState]
_TYPE = "In the license file, `paid` is called `prod`"
_EMAIL = "An e-mail address, or empty"
_KEPT = serializers.CharField(read_only=True, help_text="Why it is archived")


class ApplicationSerializer(RowSerializer[Application]):
    class Meta:
        model = Application
        fields = ["id", "name", "slug", "archived_at", "created_at", "updated_at"]


class ArchivedApplicationSerializer(ApplicationSerializer):
    detail = _KEPT

    class Meta(ApplicationSerializer.Meta):
        fields = [*ApplicationSerializer.Meta.fields, "detail"]


class NewApplicationSerializer(InputSerializer):
    name = serializers.CharField(max_length=150)
    slug = serializers.CharField(max_length=64)


class ApplicationChangesSerializer(InputSerializer):
    name = serializers.CharField(max_length=150, required=False)
    slug = serializers.CharField(
        max_length=64,
        required=False,
        help_text="Part of all image names: pulls by the old ones stop",
    )


class ChannelSerializer(RowSerializer[Channel]):
    class Meta:
        model = Channel
        fields = ["id", "name", "slug", "is_default", "created_at", "updated_at"]


class NewChannelSerializer(InputSerializer):
    name = serializers.CharField(max_length=150)
    slug = serializers.CharField(max_length=64)
    is_default = serializers.BooleanField(default=False)


class ChannelChangesSerializer(InputSerializer):
    name = serializers.CharField(max_length=150, required=False)
    is_default = serializers.BooleanField(required=False)


class CustomerSerializer(RowSerializer[Customer]):
    email = serializers.CharField(read_only=True, help_text="Or empty")

    class Meta:
        model = Customer
        fields = [
            "id",
            "name",
            "email",
            "custom_id",
            "archived_at",
            "created_at",
            "updated_at",
        ]


class ArchivedCustomerSerializer(CustomerSerializer):
    detail = _KEPT

    class Meta(CustomerSerializer.Meta):
        fields = [*CustomerSerializer.Meta.fields, "detail"]


class NewCustomerSerializer(InputSerializer):
    name = serializers.CharField(max_length=254)
    email = serializers.EmailField(
        max_length=254, allow_blank=True, default="", help_text=_EMAIL
    )
    custom_id = serializers.CharField(max_length=254, allow_blank=True, default="")


class CustomerChangesSerializer(InputSerializer):
    name = serializers.CharField(max_length=254, required=False)
    email = serializers.EmailField(
        max_length=254, allow_blank=True, required=False, help_text=_EMAIL
    )
    custom_id = serializers.CharField(max_length=254, allow_blank=True, required=False)


class LicenseFieldSerializer(RowSerializer[LicenseField]):
    class Meta:
        model = LicenseField
        fields = [
            "id",
            "name",
            "title",
            "type",
            "default",
            "required",
            "hidden",
            "options",
            "created_at",
            "updated_at",
        ]


class NewLicenseFieldSerializer(InputSerializer):
    name = serializers.CharField(max_length=100)
    title = serializers.CharField(max_length=150)
    type = serializers.ChoiceField(choices=LicenseField.Type.choices)
    default = serializers.JSONField(allow_null=True, default=None)
    required = serializers.BooleanField(default=False)  # type: ignore[assignment]  # not Field.required
    hidden = serializers.BooleanField(default=False)
    options = serializers.ListField(
        child=serializers.CharField(max_length=254),
        max_length=100,
        default=list,
        help_text="The options of an Enum",
    )


class LicenseFieldChangesSerializer(InputSerializer):
    title = serializers.CharField(max_length=150, required=False)
    default = serializers.JSONField(allow_null=True, required=False)
    required = serializers.BooleanField(required=False)  # type: ignore[assignment]  # not Field.required
    hidden = serializers.BooleanField(required=False)
    options = serializers.ListField(
        child=serializers.CharField(max_length=254), max_length=100, required=False
    )


class LicenseSerializer(RowSerializer[License]):
    """A license without its ID, a secret, which is in the license file."""

    customer = serializers.UUIDField(source="customer_id")
    customer_name = serializers.CharField(source="customer.name")
    customer_custom_id = serializers.CharField(
        source="customer.custom_id", help_text="Or empty"
    )
    application = serializers.CharField(source="application.slug")
    channel = serializers.UUIDField(source="channel_id")
    channel_slug = serializers.CharField(source="channel.slug")
    type = serializers.ChoiceField(choices=License.Type.choices, help_text=_TYPE)
    state = serializers.SerializerMethodField()
    revoked_by = serializers.EmailField(
        source="revoked_by.email", read_only=True, default=None, allow_null=True
    )
    field_values = serializers.SerializerMethodField(
        help_text="Passwords are hidden unless you may reveal licenses"
    )

    class Meta:
        model = License
        fields = [
            "id",
            "customer",
            "customer_name",
            "customer_custom_id",
            "application",
            "application_id",
            "channel",
            "channel_slug",
            "type",
            "state",
            "expires_at",
            "archived_at",
            "revoked_at",
            "revoked_by",
            "revoke_reason",
            "sequence",
            "field_values",
            "created_at",
            "updated_at",
        ]
        # A value may be a password, to be guessed from its hash. New ones raise the
        # sequence.
        not_in_etag = ("field_values",)

    def get_state(self, license: License) -> LicenseState:
        return license.state()

    def get_field_values(self, license: License) -> dict[str, Any]:
        return shown_field_values(license, reveal=_may_reveal(self))


class ArchivedLicenseSerializer(LicenseSerializer):
    detail = _KEPT

    class Meta(LicenseSerializer.Meta):
        fields = [*LicenseSerializer.Meta.fields, "detail"]


class NewPullCredentialSerializer(InputSerializer):
    name = serializers.CharField(max_length=100)
    expires_at = InstantField(
        allow_null=True, default=None, help_text="An exact instant, or null for never"
    )
    networks = serializers.ListField(
        child=serializers.CharField(max_length=64),
        max_length=MAX_NETWORKS,
        default=list,
        help_text="Such as 192.0.2.0/24; empty for everywhere",
    )


class NewLicenseSerializer(InputSerializer):
    customer = serializers.CharField(max_length=254, help_text="ID or custom ID")
    application = serializers.CharField(max_length=64, help_text="ID or slug")
    channel = serializers.CharField(
        max_length=64,
        allow_null=True,
        default=None,
        help_text="ID or slug; defaults to the default channel",
    )
    type = serializers.ChoiceField(choices=License.Type.choices, help_text=_TYPE)
    expires_at = InstantField(
        allow_null=True, default=None, help_text="An exact instant, or null for never"
    )
    field_values = serializers.DictField(
        child=serializers.JSONField(allow_null=True), default=dict
    )
    pull_credential = NewPullCredentialSerializer(
        required=False, help_text="Also makes a pull credential"
    )


class LicenseChangesSerializer(InputSerializer):
    channel = serializers.CharField(
        max_length=64, allow_null=True, required=False, help_text="ID or slug"
    )
    type = serializers.ChoiceField(
        choices=License.Type.choices, required=False, help_text=_TYPE
    )
    expires_at = InstantField(allow_null=True, required=False)
    field_values = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        required=False,
        help_text="Merged into the current values; null removes one",
    )


class RevocationSerializer(InputSerializer):
    reason = serializers.CharField(max_length=1000)


class LicenseSearchSerializer(InputSerializer):
    license_id = serializers.CharField(max_length=100)


class PullCredentialSerializer(RowSerializer[PullCredential]):
    """A pull credential without its text, which is returned when it is made."""

    license = serializers.UUIDField(source="license_id")
    state = serializers.SerializerMethodField()
    replaced_by = serializers.UUIDField(source="replaced_by_id", allow_null=True)
    created_by = serializers.CharField(source="created_by_label")
    revoked_by = serializers.CharField(source="revoked_by_label")
    networks = serializers.ListField(
        child=serializers.CharField(), help_text="Empty for everywhere"
    )

    class Meta:
        model = PullCredential
        fields = [
            "id",
            "license",
            "name",
            "key",
            "state",
            "expires_at",
            "networks",
            "replaced_by",
            "last_used_at",
            "last_used_address",
            "last_used_client",
            "created_by",
            "created_at",
            "updated_at",
            "revoked_by",
            "revoked_at",
        ]
        not_in_etag = ("last_used_at", "last_used_address", "last_used_client")

    def get_state(self, credential: PullCredential) -> CredentialState:
        return credential.state()


class CreatedPullCredentialSerializer(PullCredentialSerializer):
    """A pull credential just made, with its text."""

    credential = serializers.CharField(
        read_only=True, help_text="The password for pulls; shown only this once"
    )

    class Meta(PullCredentialSerializer.Meta):
        fields = [*PullCredentialSerializer.Meta.fields, "credential"]


class PullCredentialChangesSerializer(InputSerializer):
    name = serializers.CharField(max_length=100, required=False)
    expires_at = InstantField(allow_null=True, required=False)
    networks = serializers.ListField(
        child=serializers.CharField(max_length=64),
        max_length=MAX_NETWORKS,
        required=False,
        help_text="Replaces all current ones",
    )


class ReplacementSerializer(InputSerializer):
    old_ends_at = InstantField(
        allow_null=True,
        default=None,
        help_text=(
            "When the old secret ends: within 90 days, at once if this is past, in 7 "
            "days if it is null"
        ),
    )


class IssuedLicenseSerializer(LicenseSerializer):
    """A license just issued, with its secrets."""

    license_id = serializers.CharField(
        read_only=True, help_text="A secret, only shown now; it is in the license file"
    )
    pull_credential = CreatedPullCredentialSerializer(
        read_only=True, allow_null=True, help_text="Null unless it was asked for"
    )

    class Meta(LicenseSerializer.Meta):
        fields = [*LicenseSerializer.Meta.fields, "license_id", "pull_credential"]


class ReplacedLicenseSerializer(LicenseSerializer):
    """A license whose ID was just replaced, with the new one."""

    license_id = serializers.CharField(
        read_only=True, help_text="A secret; it is also in the license file"
    )

    class Meta(LicenseSerializer.Meta):
        fields = [*LicenseSerializer.Meta.fields, "license_id"]


class LeakedCredentialSerializer(InputSerializer):
    credential = serializers.CharField(
        max_length=1000,
        trim_whitespace=False,
        help_text="A pull credential, license ID or API token",
    )


def _may_reveal(serializer: serializers.BaseSerializer[Any]) -> bool:
    may: bool = serializer.context["view"].actor.may(Permission.LICENSE_REVEAL)
    return may
