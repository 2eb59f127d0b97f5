"""Many licenses in one request: an item that is refused does not stop the others.

What is not refused is done in one transaction, in few statements.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from licenses.api.bulk_serializers import (
    CHANGE_EXAMPLES,
    ISSUE_EXAMPLES,
    REVOKE_EXAMPLES,
    BulkResultsSerializer,
    IssueResultsSerializer,
    ItemsSerializer,
    LicenseChangeItemSerializer,
    LicenseChangeItemsSerializer,
    LicenseIssueItemsSerializer,
    RevocationItemSerializer,
    RevocationItemsSerializer,
)
from licenses.api.licenses import IssuingView, LicenseDetail
from licenses.api.serializers import NewLicenseSerializer, PullCredentialSerializer
from licenses.models import Application, Channel, Customer, License, LicenseField
from licenses.selectors import (
    customers_for_team,
    default_channel,
    license_fields_for_application,
)
from licenses.services.credentials import draft_pull_credential
from licenses.services.licenses import (
    Change,
    draft_change,
    draft_license,
    draft_revocation,
    lock_licenses,
)
from licenses.services.many import (
    change_licenses,
    issue_licenses,
    reveal_license_ids,
    revoke_licenses,
)
from portal.database.retry import atomic_with_retry
from portal.errors import Invalid, PortalError
from portal.http.api.etags import require_match
from portal.http.errors import problem_response
from portal.http.values import parse_id
from teams.api.base import InputSerializer
from teams.api.idempotency import idempotent
from teams.permissions import Permission

# Errors of one item. Others, such as an unavailable database, end the request.
ITEM_ERRORS = (PortalError, ValidationError, APIException, Http404)
_ADDRESSING = {"id", "if_match"}
Values = Mapping[str, Any]


class _BulkView(LicenseDetail):
    reader: ClassVar[type[InputSerializer]]
    done: ClassVar[int] = 200  # the status of an item that is done

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._channels: dict[tuple[uuid.UUID, str | None], Channel] = {}
        self._fields: dict[uuid.UUID, list[LicenseField]] = {}

    def begin(self, items: Sequence[Values]) -> None:
        """Lock or look up at once what the items name."""
        raise NotImplementedError

    def draft(self, values: Values) -> License:
        """Return an item's license as it is to be saved; raises one of ITEM_ERRORS."""
        raise NotImplementedError

    def carry_out(self, licenses: Sequence[License]) -> None:
        """Save what was prepared."""
        raise NotImplementedError

    def once(self, license: License) -> Values:
        """Return what is shown of a license only now."""
        return {}

    @atomic_with_retry
    def answer(self) -> Response:
        """Process the items of the body and return the result of each."""
        items = self.validated(ItemsSerializer)["items"]
        reader = self.reader()  # one for all: it takes long to make
        self._channels, self._fields = {}, {}
        results: dict[int, dict[str, Any]] = {}
        read: dict[int, Values] = {}
        prepared: dict[int, License] = {}
        for index, item in enumerate(items):
            try:
                read[index] = reader.run_validation(item)
            except ITEM_ERRORS as error:
                results[index] = _refusal(error)
        self.begin(list(read.values()))
        for index, values in read.items():
            try:
                prepared[index] = self.draft(values)
            except ITEM_ERRORS as error:
                results[index] = _refusal(error)
        self.carry_out(list(prepared.values()))
        results |= self._shown(prepared)
        return Response(
            {
                "results": [{"index": at} | results[at] for at in range(len(items))],
                "succeeded": len(prepared),
                "failed": len(items) - len(prepared),
            }
        )

    def _shown(self, done: Mapping[int, License]) -> dict[int, dict[str, Any]]:
        """Return the results of what was done, as it is stored now."""
        ids = [license.pk for license in done.values()]
        rows = {row.pk: row for row in self.get_queryset().filter(pk__in=ids)}
        writer = self.get_serializer()
        shown = {at: writer.to_representation(rows[done[at].pk]) for at in done}
        return {
            at: {
                "status": self.done,
                "etag": self._etag(license),
                "license": {**license, **self.once(done[at])},
                "error": None,
            }
            for at, license in shown.items()
        }

    def channel_named(self, application: Application, text: str | None) -> Channel:
        """Return an application's channel, the default one for None."""
        key = (application.pk, text)
        if key not in self._channels:
            channel = super().channel_named(application, text)
            self._channels[key] = channel or default_channel(application)
        return self._channels[key]

    def fields_of(self, application: Application) -> list[LicenseField]:
        """Return an application's license fields."""
        if application.pk not in self._fields:
            fields = license_fields_for_application(application)
            self._fields[application.pk] = list(fields)
        return self._fields[application.pk]


class BulkIssueView(_BulkView, IssuingView):
    reader = NewLicenseSerializer
    done = 201

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._applications: dict[str, Application] = {}
        self._customers: dict[str, Customer] = {}
        self._credentials: dict[uuid.UUID, Any] = {}
        self._ids: dict[uuid.UUID, str] = {}

    @extend_schema(
        request=LicenseIssueItemsSerializer,
        responses={200: IssueResultsSerializer},
        examples=ISSUE_EXAMPLES,
    )
    @idempotent(Permission.LICENSE_ISSUE)
    def post(self, request: Request) -> Response:
        """Issue up to 500 licenses. An item is what `POST /licenses` takes.

        An item that is refused does not stop the others, which are done together.
        License IDs and texts of pull credentials are shown only now.
        """
        return self.answer()

    def begin(self, items: Sequence[Values]) -> None:
        # A repeated transaction starts with nothing of the one that failed.
        self._applications, self._credentials, self._ids = {}, {}, {}
        names = {values["customer"] for values in items}
        ids = filter(None, map(parse_id, names))
        customers = customers_for_team(self.team_id).filter(
            Q(pk__in=list(ids)) | Q(custom_id__in=names)
        )
        self._customers = {row.custom_id: row for row in customers if row.custom_id}
        self._customers |= {str(row.pk): row for row in customers}

    def draft(self, values: Values) -> License:
        terms = self.terms(values)
        fields = self.fields_of(terms["application"])
        license = draft_license(actor=self.actor, **terms, known_fields=fields)
        if (wanted := values.get("pull_credential")) is not None:
            drafted = draft_pull_credential(actor=self.actor, license=license, **wanted)
            self._credentials[license.pk] = drafted
        return license

    def carry_out(self, licenses: Sequence[License]) -> None:
        credentials = [credential for credential, _ in self._credentials.values()]
        issue_licenses(actor=self.actor, licenses=licenses, credentials=credentials)
        ids = reveal_license_ids(actor=self.actor, licenses=licenses)
        self._ids = {
            license.pk: secret.reveal()
            for license, secret in zip(licenses, ids, strict=True)
        }

    def once(self, license: License) -> Values:
        return {
            "license_id": self._ids[license.pk],
            "pull_credential": self._shown_credential(license),
        }

    def _shown_credential(self, license: License) -> Values | None:
        if license.pk not in self._credentials:
            return None
        credential, secret = self._credentials[license.pk]
        shown = PullCredentialSerializer(credential, context={"view": self}).data
        return {**shown, "credential": secret.reveal()}

    def application_named(self, text: str) -> Application:
        if text not in self._applications:
            self._applications[text] = super().application_named(text)
        return self._applications[text]

    def customer_named(self, text: str) -> Customer:
        identifier = parse_id(text)
        known = self._customers.get(str(identifier)) if identifier else None
        customer = known or self._customers.get(text)
        if customer is None:
            raise Invalid({"customer": ["Choose a customer of your team."]})
        return customer


class _BulkOfExistingView(_BulkView):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._rows: dict[uuid.UUID, License] = {}
        self._named: set[uuid.UUID] = set()

    def begin(self, items: Sequence[Values]) -> None:
        ids = {values["id"] for values in items}
        lock_licenses(self.team_id, ids)
        # Read by another statement: one that waits sees other tables as they were.
        rows = self.get_queryset().filter(pk__in=ids)
        self._rows, self._named = {row.pk: row for row in rows}, set()

    def expected(self, values: Values) -> License:
        """Return an item's license, if it is as the caller has read it.

        Raises:
            Http404: the team has no such license.
            Invalid: an item before was about the same one.
            PreconditionFailed: it has been changed since.
        """
        license = self._rows.get(values["id"])
        if license is None:
            raise Http404
        if license.pk in self._named:
            raise Invalid({"id": ["Another item is about the same license."]})
        self._named.add(license.pk)
        if (wanted := values.get("if_match")) is not None:
            require_match(wanted, self.etag(license), "if_match")
        return license


class BulkChangeView(_BulkOfExistingView):
    reader = LicenseChangeItemSerializer

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._changes: list[Change] = []

    @extend_schema(
        request=LicenseChangeItemsSerializer,
        responses={200: BulkResultsSerializer},
        examples=CHANGE_EXAMPLES,
    )
    @idempotent(Permission.LICENSE_CHANGE)
    def post(self, request: Request) -> Response:
        """Change up to 500 licenses, each as `PATCH /licenses/{id}` does.

        An item that is refused does not stop the others, which are done together.
        `if_match` of an item is what the header `If-Match` is for one license.
        """
        return self.answer()

    def begin(self, items: Sequence[Values]) -> None:
        super().begin(items)
        self._changes = []

    def draft(self, values: Values) -> License:
        license = self.expected(values)
        application = license.application
        changes = {
            name: value for name, value in values.items() if name not in _ADDRESSING
        }
        if "channel" in changes:
            changes["channel"] = self.channel_named(application, changes["channel"])
        change = draft_change(
            self.actor,
            license,
            changes,
            merges_values=True,
            known_fields=self.fields_of(application),
        )
        self._changes.append(change)
        return license

    def carry_out(self, licenses: Sequence[License]) -> None:
        change_licenses(actor=self.actor, changes=self._changes)


class BulkRevokeView(_BulkOfExistingView):
    reader = RevocationItemSerializer

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._revoked: list[License] = []

    @extend_schema(
        request=RevocationItemsSerializer,
        responses={200: BulkResultsSerializer},
        examples=REVOKE_EXAMPLES,
    )
    @idempotent(Permission.LICENSE_REVOKE)
    def post(self, request: Request) -> Response:
        """Revoke up to 500 licenses. Their pulls stop within one second.

        An item that is refused does not stop the others, which are done together.
        Revoking twice keeps the first reason.
        """
        return self.answer()

    def begin(self, items: Sequence[Values]) -> None:
        super().begin(items)
        self._revoked = []

    def draft(self, values: Values) -> License:
        license = self.expected(values)
        if draft_revocation(self.actor, license, values["reason"]):
            self._revoked.append(license)
        return license

    def carry_out(self, licenses: Sequence[License]) -> None:
        revoke_licenses(actor=self.actor, licenses=self._revoked)


def _refusal(error: Exception) -> dict[str, Any]:
    response = problem_response(error, {})
    assert response is not None  # noqa: S101 -- of ITEM_ERRORS
    return {
        "status": response.status_code,
        "etag": response.get("ETag"),
        "license": None,
        "error": response.data,
    }
