"""Trusted identities of a license: workload tokens that pull in place of a secret."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from licenses.identities.key_sets import MAX_BYTES
from licenses.identities.rules import (
    GITHUB_ISSUER,
    GITLAB_ISSUER,
    MAX_ISSUER_LENGTH,
    MAX_VALUE_LENGTH,
    IdentityKind,
)
from licenses.identities.workload_token import MAX_LENGTH
from licenses.identity_selectors import identities_of_license
from licenses.models import (
    MAX_LABEL_LENGTH,
    IdentityWorkload,
    License,
    TrustedIdentity,
    TrustedIdentityQuerySet,
)
from licenses.models.identities import MAX_AUDIENCE_LENGTH
from licenses.selectors import licenses_for_team
from licenses.services.identities import (
    TokenTest,
    change_trusted_identity,
    check_identity,
    default_audience,
    examine_token,
    read_issuer_for,
    remove_trusted_identity,
    trust_identity,
)
from portal.crypto.secrets import Secret
from portal.http.values import CreatedFilter
from teams.api.base import InputSerializer, RowSerializer, TeamView, find
from teams.api.conditions import conditional
from teams.api.idempotency import idempotent
from teams.permissions import Permission

KINDS = [(kind.value, kind.value) for kind in IdentityKind]
KEYS = [("published", "published"), ("uploaded", "uploaded")]
_RULES = (
    "Claims and their values; * at the end of a value allows more after it. For "
    "Kubernetes `namespace` and `service_account`"
)
_KEY_SET = (
    "A JWK Set as text, if Berth cannot reach the issuer; else empty, and Berth reads "
    "the keys that the issuer publishes"
)
_ISSUERS = {IdentityKind.GITHUB: GITHUB_ISSUER, IdentityKind.GITLAB: GITLAB_ISSUER}


class IdentityWorkloadSerializer(RowSerializer[IdentityWorkload]):
    name = serializers.CharField(
        help_text="Namespace and service account, repository, or subject"
    )

    class Meta:
        model = IdentityWorkload
        fields = [
            "name",
            "last_used_at",
            "last_used_address",
            "last_used_client",
            "last_used_node",
        ]


class TrustedIdentitySerializer(RowSerializer[TrustedIdentity]):
    license = serializers.UUIDField(source="license_id")
    kind = serializers.ChoiceField(KINDS)
    rules = serializers.DictField(child=serializers.CharField(), help_text=_RULES)
    keys = serializers.SerializerMethodField(
        help_text="Whether its keys were uploaded, or are read from the issuer"
    )
    key_ids = serializers.ListField(
        child=serializers.CharField(), source="kids", help_text="Of uploaded keys"
    )
    keys_problem = serializers.CharField(
        help_text="Why the issuer's keys could not be read the last time; or empty"
    )
    workloads = IdentityWorkloadSerializer(
        many=True, help_text="Who used it, the latest first; at most 100"
    )
    created_by = serializers.CharField(source="created_by_label")
    removed_by = serializers.CharField(source="removed_by_label")

    class Meta:
        model = TrustedIdentity
        fields = [
            "id",
            "license",
            "label",
            "kind",
            "issuer",
            "audience",
            "rules",
            "keys",
            "key_ids",
            "keys_problem",
            "workloads",
            "created_by",
            "created_at",
            "updated_at",
            "removed_by",
            "removed_at",
        ]
        not_in_etag = ("keys_problem", "workloads")

    @extend_schema_field(serializers.ChoiceField(KEYS))
    def get_keys(self, identity: TrustedIdentity) -> str:
        return "uploaded" if identity.key_set else "published"


class NewTrustedIdentitySerializer(InputSerializer):
    label = serializers.CharField(max_length=MAX_LABEL_LENGTH)  # type: ignore[assignment]  # hides the option
    kind = serializers.ChoiceField(KINDS)
    issuer = serializers.CharField(
        max_length=MAX_ISSUER_LENGTH,
        allow_blank=True,
        default="",
        help_text="Exactly as in tokens (`iss`); for GitHub and GitLab their own",
    )
    audience = serializers.CharField(
        max_length=MAX_AUDIENCE_LENGTH,
        allow_blank=True,
        default="",
        help_text="What tokens are for (`aud`); if empty, the proxy's host",
    )
    rules = serializers.DictField(
        child=serializers.CharField(max_length=MAX_VALUE_LENGTH + 1), help_text=_RULES
    )
    key_set = serializers.CharField(
        max_length=MAX_BYTES, allow_blank=True, default="", help_text=_KEY_SET
    )


class TrustedIdentityChangesSerializer(InputSerializer):
    label = serializers.CharField(  # type: ignore[assignment]  # as above
        max_length=MAX_LABEL_LENGTH, required=False
    )
    key_set = serializers.CharField(
        max_length=MAX_BYTES, allow_blank=True, required=False, help_text=_KEY_SET
    )


class TokenToTestSerializer(InputSerializer):
    token = serializers.CharField(
        max_length=2 * MAX_LENGTH, help_text="A workload token (JWT); it is not stored"
    )


class RequirementSerializer(serializers.Serializer[Any]):
    requirement = serializers.CharField(source="words")
    met = serializers.BooleanField(source="is_met")
    found = serializers.CharField(help_text="What the token has; or empty")


class ExaminedIdentitySerializer(serializers.Serializer[Any]):
    identity = serializers.UUIDField(source="identity.pk")
    label = serializers.CharField(source="identity.label")  # type: ignore[assignment]  # as above
    accepts = serializers.BooleanField(source="is_met")
    requirements = RequirementSerializer(many=True)


class TokenTestSerializer(serializers.Serializer[TokenTest]):
    accepted = serializers.BooleanField(source="is_accepted")
    problem = serializers.CharField(
        help_text="What is wrong with the token, whoever trusts its issuer; or empty"
    )
    identities = ExaminedIdentitySerializer(
        many=True, source="examined", help_text="The nearest first"
    )


class TrustedIdentityFilter(CreatedFilter):
    state = filters.ChoiceFilter(
        choices=[("current", "current"), ("removed", "removed")],
        method="filter_state",
        label="current or removed",
    )

    def filter_state(
        self, rows: TrustedIdentityQuerySet, _name: str, state: str
    ) -> TrustedIdentityQuerySet:
        return rows.filter(removed_at__isnull=state == "current")


class _TrustedIdentities(TeamView[TrustedIdentity]):
    serializer_class: type[serializers.BaseSerializer[Any]] = TrustedIdentitySerializer

    @property
    def license(self) -> License:
        if getattr(self, "swagger_fake_view", False):
            return License(team_id=self.team_id)
        return find(licenses_for_team(self.team_id), pk=self.kwargs["license_id"])

    def get_queryset(self) -> QuerySet[TrustedIdentity]:
        return identities_of_license(self.license)

    def lock(self, row: TrustedIdentity) -> None:
        # What changes a license's identities locks the license alone.
        super().lock(self.license)


class TrustedIdentitiesView(_TrustedIdentities):
    orderings = ("created_at", "updated_at", "label")
    filterset_class = TrustedIdentityFilter

    def get(self, request: Request, license_id: uuid.UUID) -> Response:
        """List a license's trusted identities, removed ones too."""
        self.require(Permission.LICENSE_READ)
        return self.page()

    def prepare(self) -> None:
        # Only the issuer's keys, which are everybody's: it may be slow.
        self.actor.require(Permission.CREDENTIAL_MANAGE, team_id=self.license.team_id)
        values = self._values()
        if not values["key_set"].strip():
            identity = (values["kind"], values["issuer"], values["rules"])
            check_identity(*identity, values["audience"])
            read_issuer_for(self.team_id, values["issuer"])

    def _values(self) -> dict[str, Any]:
        values = self.validated(NewTrustedIdentitySerializer)
        kind = IdentityKind(values["kind"])
        issuer = values["issuer"].strip() or _ISSUERS.get(kind, "")
        audience = values["audience"].strip() or default_audience()
        return {**values, "kind": kind, "issuer": issuer, "audience": audience}

    @extend_schema(request=NewTrustedIdentitySerializer)
    @idempotent(Permission.CREDENTIAL_MANAGE)
    def post(self, request: Request, license_id: uuid.UUID) -> Response:
        """Trust the workload tokens of an issuer that meet rules.

        They are passwords for pulls then, with any username.
        """
        identity = trust_identity(
            actor=self.actor, license=self.license, **self._values()
        )
        return self.shown(self.find(identity.pk), 201)


class TrustedIdentityView(_TrustedIdentities):
    def get(
        self, request: Request, license_id: uuid.UUID, identity_id: uuid.UUID
    ) -> Response:
        """Read a trusted identity, and who used it."""
        self.require(Permission.LICENSE_READ)
        return self.shown(self.find(identity_id))

    @extend_schema(request=TrustedIdentityChangesSerializer)
    @conditional(Permission.CREDENTIAL_MANAGE)
    def patch(
        self, request: Request, license_id: uuid.UUID, identity_id: uuid.UUID
    ) -> Response:
        """Change the label or the key set. For other rules, add another one."""
        identity = self.find(identity_id)
        self.require(Permission.CREDENTIAL_MANAGE)
        changes = self.validated(TrustedIdentityChangesSerializer)
        change_trusted_identity(actor=self.actor, identity=identity, changes=changes)
        return self.stored()


class TrustedIdentityRemoveView(_TrustedIdentities):
    @extend_schema(request=None)
    @conditional(Permission.CREDENTIAL_MANAGE)
    def post(
        self, request: Request, license_id: uuid.UUID, identity_id: uuid.UUID
    ) -> Response:
        """Stop pulls with it within one second; it stays for the record."""
        identity = self.find(identity_id)
        remove_trusted_identity(actor=self.actor, identity=identity)
        return self.stored()


class TrustedIdentityTestView(_TrustedIdentities):
    serializer_class = TokenTestSerializer

    @extend_schema(request=TokenToTestSerializer)
    def post(self, request: Request, license_id: uuid.UUID) -> Response:
        """Say which trusted identity accepts a token, or what it lacks.

        Stores nothing of the token.
        """
        self.require(Permission.LICENSE_READ)
        values = self.validated(TokenToTestSerializer)
        return self.shown(examine_token(self.license, Secret(values["token"])))
