from __future__ import annotations

from rest_framework import serializers

from customers.models import Contact, ContactRole, CustomerLink
from teams.api.base import InputSerializer, RowSerializer

LINK_STATES = [(state, state) for state in CustomerLink.STATES]
_MESSAGE = "A line that stands in the mail, above the link"


class ContactSerializer(RowSerializer[Contact]):
    class Meta:
        model = Contact
        fields = [
            "id",
            "email",
            "name",
            "role",
            "invited_by",
            "last_seen_at",
            "created_at",
            "updated_at",
        ]
        not_in_etag = ("last_seen_at",)


class NewContactSerializer(InputSerializer):
    email = serializers.EmailField(max_length=254)
    name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    role = serializers.ChoiceField(
        ContactRole.choices,
        default=ContactRole.READER,
        help_text="Administrators manage pull credentials and people",
    )


class ContactChangesSerializer(InputSerializer):
    name = serializers.CharField(max_length=150, required=False, allow_blank=True)
    role = serializers.ChoiceField(ContactRole.choices, required=False)


class CustomerLinkSerializer(RowSerializer[CustomerLink]):
    contact = serializers.UUIDField(source="contact_id", read_only=True)
    email = serializers.EmailField(source="contact.email", read_only=True)
    license = serializers.UUIDField(
        source="license_id",
        read_only=True,
        allow_null=True,
        help_text="The license that the link leads to",
    )
    state = serializers.ChoiceField(LINK_STATES, read_only=True)
    opened_at = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="When the link was first followed, perhaps by a mail scanner",
    )

    class Meta:
        model = CustomerLink
        fields = [
            "id",
            "contact",
            "email",
            "license",
            "state",
            "message",
            "sent_by",
            "created_at",
            "expires_at",
            "opened_at",
            "used_at",
            "withdrawn_at",
        ]


class NewCustomerLinksSerializer(InputSerializer):
    contacts = serializers.ListField(
        child=serializers.CharField(max_length=254),
        allow_empty=False,
        max_length=100,
        help_text="IDs or e-mail addresses of contacts of the customer",
    )
    license = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="ID of a license of the customer, for a mail about this one",
    )
    message = serializers.CharField(
        max_length=300, required=False, allow_blank=True, help_text=_MESSAGE
    )


class SentCustomerLinksSerializer(serializers.Serializer[dict[str, object]]):
    links = CustomerLinkSerializer(many=True, read_only=True)
