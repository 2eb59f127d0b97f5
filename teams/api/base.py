"""What the API views of every room share."""

from __future__ import annotations

import uuid
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar, cast

from django.db.models import Model, QuerySet
from django.db.models.expressions import Combinable
from django.http import Http404
from django_filters.rest_framework import FilterSet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from portal.http.api.etags import IF_NONE_MATCH, etag_of, is_known
from portal.http.api.pagination import PARAMETERS
from portal.http.values import CreatedFilter, parse_id, parse_instant
from teams.actors import Actor
from teams.api.authentication import SignedIn
from teams.models import Team, TeamOwned
from teams.permissions import Permission

ModelT = TypeVar("ModelT", bound=Model)
OwnedT = TypeVar("OwnedT", bound=TeamOwned)
NO_TEAM = uuid.UUID(int=0)
MAX_UNKNOWN_REPORTED = 10
# A parameter that names what stops working, to do it all the same.
CONFIRM = "confirm"


class TeamView(GenericAPIView[Any], Generic[ModelT]):
    """A view of one team's objects for a signed-in actor."""

    http_method_names: Sequence[str] = ["get", "head", "post", "put", "patch", "delete"]
    # What URLs know a row by, beside its ID.
    known_by: ClassVar[str] = "slug"
    # Of its list: what it is ordered by, and what else it can be.
    ordering: ClassVar[Sequence[str] | None] = None
    orderings: ClassVar[tuple[str, ...]] = ("created_at",)
    # The expressions of those that are no columns, or have nulls.
    order_by: ClassVar[Mapping[str, Combinable]] = {}
    filterset_class: ClassVar[type[FilterSet]] = CreatedFilter

    @property
    def actor(self) -> Actor:
        return self._signed_in.actor

    @property
    def team(self) -> Team:
        return self._signed_in.team

    @property
    def team_id(self) -> uuid.UUID:
        # The schema is generated without a request; its querysets are never run.
        if getattr(self, "swagger_fake_view", False):
            return NO_TEAM
        return self.team.pk

    def prepare(self) -> None:
        """Prepare a creating request, without storing anything.

        Called before the transaction, so it may wait for other systems.
        """

    @property
    def _signed_in(self) -> SignedIn:
        signed_in = self.request.user
        assert isinstance(signed_in, SignedIn)  # noqa: S101 -- narrows; see settings
        return signed_in

    def require(self, permission: Permission) -> None:
        """Check that the actor has the permission, else raise NotAllowed."""
        self.actor.require(permission, team_id=self.team.pk)

    def validated(
        self, serializer_class: type[serializers.Serializer[Any]]
    ) -> dict[str, Any]:
        """Return the body's values, or raise ValidationError."""
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def find(self, key: uuid.UUID | str) -> ModelT:
        """Return the row with this ID, or the name that URLs know it by, or Http404."""
        rows = self.get_queryset()
        if isinstance(key, uuid.UUID):
            return cast("ModelT", find(rows, pk=key))
        return cast("ModelT", find_by_id_or_name(rows, key, self.known_by))

    def target(self) -> Any:
        """Return the object that the URL names, the last of its parameters."""
        return self.find(list(self.kwargs.values())[-1])

    def lock(self, row: Any) -> None:
        """Lock what the services lock before they change the row."""
        rows = type(row).objects.filter(pk=row.pk)
        list(rows.select_for_update(no_key=True).values_list("pk"))

    def locked(self) -> Any:
        """Return the object that the URL names as it is now, and keep it so."""
        self.lock(self.target())
        # Read by another statement: one that waits sees other tables as they were.
        return self.target()

    def etag(self, row: Any) -> str:
        """Return the entity tag of a row as it is shown."""
        return self._etag(self.get_serializer(row).data)

    def _etag(self, shown: Mapping[str, Any]) -> str:
        meta = getattr(self.serializer_class, "Meta", None)
        unstable = getattr(meta, "not_in_etag", ())
        return etag_of(
            {name: value for name, value in shown.items() if name not in unstable}
        )

    def page(self) -> Response:
        """Return a page of the filtered list."""
        self._refuse_unknown_parameters()
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    def shown(self, instance: object, status: int = 200, **once: object) -> Response:
        """Return one object, with what is shown only this once.

        A row has an ETag, and is 304 to a GET that knows it. A new one has a Location.
        """
        shown = self.get_serializer(instance).data
        if not isinstance(instance, Model):
            return Response({**shown, **once}, status)
        etag = self._etag(shown)
        known = self.request.headers.get(IF_NONE_MATCH)
        is_read = self.request.method in {"GET", "HEAD"}
        if is_read and known is not None and is_known(known, etag):
            return Response(status=304, headers={"ETag": etag})
        headers = {"ETag": etag}
        if status == 201:
            headers["Location"] = self.location(instance)
        return Response({**shown, **once}, status, headers=headers)

    def location(self, created: Model) -> str:
        """Return the address of what was created, here in a list."""
        return f"{self.request.path}/{created.pk}"

    def stored(self, status: int = 200, **once: object) -> Response:
        """Return the object that the URL names as it is stored now."""
        return self.shown(self.target(), status, **once)

    def finalize_response(
        self,
        request: Request,
        response: Response,
        *args: Any,
        **kwargs: Any,
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        # Only this caller may see the response, which may contain secrets.
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _refuse_unknown_parameters(self) -> None:
        known = PARAMETERS.union(self.filterset_class.base_filters)
        refuse_unknown("parameter", self.request.query_params, known)


def refuse_unknown(kind: str, names: Iterable[Any], known: Container[Any]) -> None:
    """Raise ValidationError for names that are not known."""
    unknown = sorted(str(name)[:100] for name in names if name not in known)
    if unknown:
        raise ValidationError(
            {name: [f"Unknown {kind}."] for name in unknown[:MAX_UNKNOWN_REPORTED]}
        )


def find(rows: QuerySet[ModelT], **lookup: object) -> ModelT:
    """Return the one row; raises Http404 if there is none."""
    row = rows.filter(**lookup).first()
    if row is None:
        raise Http404
    return row


def by_id_or_name(
    rows: QuerySet[OwnedT], text: str, name: str = "slug"
) -> OwnedT | None:
    """Return the row with this ID, else the one with this name, else None."""
    identifier = parse_id(text)
    row = rows.filter(pk=identifier).first() if identifier else None
    if row is None and text:  # no name is empty, but a column may be
        row = rows.filter(**{name: text}).first()
    return row


def find_by_id_or_name(rows: QuerySet[OwnedT], text: str, name: str = "slug") -> OwnedT:
    """Return the row with this ID or name; raises Http404 if there is none."""
    row = by_id_or_name(rows, text, name) if text.isprintable() else None
    if row is None:
        raise Http404
    return row


class InstantField(serializers.DateTimeField):
    """An exact instant: RFC 3339 with a zone, to the second."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return parse_instant(value)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class InputSerializer(serializers.Serializer[Any]):
    # A request body; unknown fields are reported, not ignored. The schema would repeat
    # a docstring.

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            refuse_unknown("field", data, self.fields)
        return super().to_internal_value(data)


class RowSerializer(serializers.ModelSerializer[ModelT]):
    # Shows a row; all fields are read-only. The schema would repeat a docstring.
    # Meta.not_in_etag names fields that change without anybody changing the row.

    def get_extra_kwargs(self) -> dict[str, Any]:
        return {name: {"read_only": True} for name in self.Meta.fields}
