"""Bodies and answers of the routes that take many licenses."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field
from rest_framework import serializers

from licenses.api.serializers import (
    IssuedLicenseSerializer,
    LicenseChangesSerializer,
    LicenseSerializer,
    NewLicenseSerializer,
    RevocationSerializer,
)
from portal.http.api.etags import PreconditionFailed
from teams.api.base import InputSerializer

MAX_ITEMS = 500
_IF_MATCH = serializers.CharField(
    required=False, help_text="The license's ETag as it was read, or `*`"
)


class ItemsSerializer(InputSerializer):
    items = serializers.ListField(
        child=serializers.JSONField(), allow_empty=False, max_length=MAX_ITEMS
    )


class LicenseChangeItemSerializer(LicenseChangesSerializer):
    id = serializers.UUIDField()
    if_match = _IF_MATCH


class RevocationItemSerializer(RevocationSerializer):
    id = serializers.UUIDField()
    if_match = _IF_MATCH


class LicenseIssueItemsSerializer(serializers.Serializer[Any]):
    items = serializers.ListField(
        child=NewLicenseSerializer(), min_length=1, max_length=MAX_ITEMS
    )


class LicenseChangeItemsSerializer(serializers.Serializer[Any]):
    items = serializers.ListField(
        child=LicenseChangeItemSerializer(), min_length=1, max_length=MAX_ITEMS
    )


class RevocationItemsSerializer(serializers.Serializer[Any]):
    items = serializers.ListField(
        child=RevocationItemSerializer(), min_length=1, max_length=MAX_ITEMS
    )


@extend_schema_field({"$ref": "#/components/schemas/Problem"})
class _ProblemField(serializers.JSONField):
    pass


class BulkResultSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Of the item, from 0")
    status = serializers.IntegerField(help_text="As if the item were sent by itself")
    etag = serializers.CharField(
        allow_null=True, help_text="What the license is now, for `if_match`"
    )
    license = LicenseSerializer(allow_null=True, help_text="If it was done")
    error = _ProblemField(allow_null=True, help_text="If it was not")


class IssueResultSerializer(BulkResultSerializer):
    license = IssuedLicenseSerializer(allow_null=True, help_text="If it was issued")


class BulkResultsSerializer(serializers.Serializer[Any]):
    results = BulkResultSerializer(many=True)
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()


class IssueResultsSerializer(BulkResultsSerializer):
    results = IssueResultSerializer(many=True)


_LICENSE = "2f1c9a52-7a39-4f0c-9d5e-3b1d6c1f7a10"
_OTHER = "0d0f3a3e-5f0b-4a36-9a0d-2a3c5b1f6e21"
_STALE = {
    "index": 1,
    "status": 412,
    "etag": '"5f2d7c1e9a0b4c3d8e6f7a1b2c3d4e5f"',
    "license": None,
    "error": {
        "type": "about:blank",
        "title": "Changed since",
        "status": 412,
        "code": "precondition_failed",
        "detail": PreconditionFailed.default_detail,
    },
}
ISSUE_EXAMPLES = [
    OpenApiExample(
        "Two licenses",
        {
            "items": [
                {"customer": name, "application": "my-app", "type": "paid"}
                for name in ("crm-4711", "crm-4712")
            ]
        },
        request_only=True,
    )
]

CHANGE_EXAMPLES = [
    OpenApiExample(
        "Renew one, and another if nobody has changed it",
        {
            "items": [
                {"id": _LICENSE, "expires_at": "2030-12-31T23:59:59Z"},
                {
                    "id": _OTHER,
                    "expires_at": "2030-12-31T23:59:59Z",
                    "if_match": '"9e107d9d372bb6826bd81d3542a419d6"',
                },
            ]
        },
        request_only=True,
    ),
    OpenApiExample(
        "The second was changed by somebody",
        {"results": [_STALE], "succeeded": 1, "failed": 1},
        response_only=True,
    ),
]

REVOKE_EXAMPLES = [
    OpenApiExample(
        "One license",
        {"items": [{"id": _LICENSE, "reason": "The contract has ended."}]},
        request_only=True,
    )
]
