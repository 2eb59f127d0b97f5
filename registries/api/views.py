from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from licenses.models import Application
from licenses.selectors import applications_for_team
from oci.digest import MalformedDigest
from oci.reference import MalformedName, Reference, parse_reference
from portal.crypto.secrets import Secret
from portal.errors import Conflict, Invalid
from registries import services
from registries.api.serializers import (
    CheckResultSerializer,
    CredentialCheckSerializer,
    DuplicationSerializer,
    NewCredentialSerializer,
    NewRegistrySerializer,
    NewRegistryTestSerializer,
    RegistryChangesSerializer,
    RegistrySerializer,
    RegistryTestSerializer,
)
from registries.checks.attempt import check_credential_now
from registries.filters import CheckFilter, RegistryFilter
from registries.models import CredentialCheck, ExternalRegistry
from registries.selectors import (
    checks_of_registry,
    registries_for_team,
    use_of_registry,
)
from registries.services import NewCredential, NewRegistry
from teams.api.base import (
    CONFIRM,
    ModelT,
    TeamView,
    by_id_or_name,
    find_by_id_or_name,
    refuse_unknown,
)
from teams.api.conditions import conditional
from teams.api.idempotency import idempotent
from teams.permissions import Permission


class RegistryView(TeamView[ModelT]):
    """A view of the registry that the URL names, or of what belongs to it."""

    @property
    def registry(self) -> ExternalRegistry:
        if getattr(self, "swagger_fake_view", False):
            return ExternalRegistry(team_id=self.team_id)
        return find_by_id_or_name(
            registries_for_team(self.team_id), self.kwargs["registry"]
        )


class _Registries(RegistryView[ExternalRegistry]):
    serializer_class = RegistrySerializer

    def get_queryset(self) -> QuerySet[ExternalRegistry]:
        return registries_for_team(self.team_id)

    def target(self) -> ExternalRegistry:
        return self.registry

    def applications_named(self, names: Sequence[str]) -> list[Application]:
        """Return the team's applications with these IDs or slugs, or raise Invalid."""
        rows = applications_for_team(self.team_id)
        applications = []
        for name in names:
            application = by_id_or_name(rows, name)
            if application is None:
                raise Invalid({"applications": [f"Unknown application: {name}"]})
            applications.append(application)
        return applications


class RegistriesView(_Registries):
    orderings = ("created_at", "updated_at", "slug")
    filterset_class = RegistryFilter

    def get(self, request: Request) -> Response:
        """List the team's external registries."""
        self.require(Permission.REGISTRY_READ)
        return self.page()

    @extend_schema(request=NewRegistrySerializer)
    @idempotent(Permission.REGISTRY_MANAGE)
    def post(self, request: Request) -> Response:
        """Add an external registry, once it has accepted the credential."""
        registry = services.store_registry(
            actor=self.actor,
            draft=self._draft,
            applications=self._new.applications,
            result=self._result,
        )
        return self.shown(self.find(registry.pk), 201)

    def prepare(self) -> None:
        values = self.validated(NewRegistrySerializer)
        skip_test = values.pop("skip_test")
        names = values.pop("applications")
        shared_with_all = values.pop("shared_with_all", names is None)
        _refuse_both(shared_with_all=shared_with_all, names=names)
        self._new = NewRegistry(
            credential=_pop_credential(values),
            applications=(
                None if shared_with_all else self.applications_named(names or [])
            ),
            **values,
        )
        self._draft = services.draft_registry(
            actor=self.actor, team=self.team, new=self._new
        )
        self._result = (
            None if skip_test else check_credential_now(self._draft).raise_if_failed()
        )


class RegistryDetailView(_Registries):
    def get(self, request: Request, registry: str) -> Response:
        """Read a registry, by ID or slug."""
        self.require(Permission.REGISTRY_READ)
        return self.shown(self.registry)

    @extend_schema(request=RegistryChangesSerializer)
    @conditional(Permission.REGISTRY_MANAGE)
    def patch(self, request: Request, registry: str) -> Response:
        """Change slug, realm, patterns or sharing, effective within a second."""
        row = self.registry
        self.require(Permission.REGISTRY_MANAGE)
        changes = self.validated(RegistryChangesSerializer)
        change_shares = bool({"shared_with_all", "applications"} & set(changes))
        applications = self._pop_shares(row, changes)
        services.change_registry(
            actor=self.actor,
            registry=row,
            changes=changes,
            applications=applications,
            change_shares=change_shares,
        )
        return self.shown(self.find(row.pk))

    @extend_schema(
        parameters=[
            OpenApiParameter(
                CONFIRM, description="The slug, to delete a registry that is in use"
            )
        ]
    )
    @conditional(Permission.REGISTRY_MANAGE)
    def delete(self, request: Request, registry: str) -> Response:
        """Delete a registry and its credential; pulls through it stop.

        One that is in use is 409, with what would stop, unless `confirm` is its slug.
        """
        refuse_unknown("parameter", request.query_params, {CONFIRM})
        row = self.registry
        self.require(Permission.REGISTRY_MANAGE)
        if request.query_params.get(CONFIRM) != row.slug:
            _refuse_in_use(row)
        services.delete_registry(actor=self.actor, registry=row)
        return Response(status=204)

    def _pop_shares(
        self, registry: ExternalRegistry, changes: dict[str, Any]
    ) -> list[Application] | None:
        """Return the applications to share with, None for all; omitted fields stay."""
        current = list(registry.applications.all())
        names = changes.pop("applications", None)
        shared_with_all = changes.pop("shared_with_all", names is None)
        _refuse_both(shared_with_all=shared_with_all, names=names)
        if shared_with_all:
            return None
        return self.applications_named(names) if names is not None else current


class NewRegistryTestView(TeamView[Any]):
    serializer_class = CheckResultSerializer

    @extend_schema(
        operation_id="registries_test_new", request=NewRegistryTestSerializer
    )
    def post(self, request: Request) -> Response:
        """Check a credential of a registry that is not connected; stores nothing."""
        self.require(Permission.REGISTRY_MANAGE)
        values = self.validated(NewRegistryTestSerializer)
        image = _image(values.pop("image"))
        new = NewRegistry(
            credential=_pop_credential(values),
            test_image=image.without_registry if image else "",
            **values,
        )
        result = services.check_new_registry(actor=self.actor, team=self.team, new=new)
        return self.shown(result)


class RegistryTestView(RegistryView[Any]):
    serializer_class = CheckResultSerializer

    @extend_schema(request=RegistryTestSerializer)
    def post(self, request: Request, registry: str) -> Response:
        """Check the stored credential now, and record the result."""
        row = self.registry
        self.require(Permission.REGISTRY_MANAGE)
        image = _image(self.validated(RegistryTestSerializer)["image"])
        result = services.check_registry(actor=self.actor, registry=row, image=image)
        return self.shown(result)


class RegistryCredentialView(_Registries):
    @extend_schema(
        operation_id="registries_replace_credential", request=NewCredentialSerializer
    )
    @idempotent(Permission.REGISTRY_MANAGE)
    @conditional(Permission.REGISTRY_MANAGE)
    def put(self, request: Request, registry: str) -> Response:
        """Replace the credential once the registry has accepted the new one."""
        services.replace_credential(
            actor=self.actor, draft=self._draft, result=self._result
        )
        return self.stored()

    def prepare(self) -> None:
        row = self.registry
        values = self.validated(NewCredentialSerializer)
        self._draft = services.draft_credential(
            actor=self.actor, registry=row, new=_pop_credential(values)
        )
        self._result = (
            None
            if values["skip_test"]
            else check_credential_now(self._draft).raise_if_failed()
        )


class RegistryDuplicateView(_Registries):
    def location(self, created: Model) -> str:
        return f"{self.request.path.rsplit('/', 2)[0]}/{created.pk}"

    @extend_schema(request=DuplicationSerializer, responses={201: RegistrySerializer})
    @idempotent(Permission.REGISTRY_MANAGE)
    def post(self, request: Request, registry: str) -> Response:
        """Add the same registry again under another slug."""
        row = self.registry
        slug = self.validated(DuplicationSerializer)["slug"]
        duplicate = services.duplicate_registry(
            actor=self.actor, registry=row, slug=slug
        )
        return self.shown(self.find(duplicate.pk), 201)


class RegistryChecksView(RegistryView[CredentialCheck]):
    serializer_class = CredentialCheckSerializer
    filterset_class = CheckFilter

    def get_queryset(self) -> QuerySet[CredentialCheck]:
        return checks_of_registry(self.registry)

    def get(self, request: Request, registry: str) -> Response:
        """List the checks of a registry's credential, newest first."""
        self.require(Permission.REGISTRY_READ)
        return self.page()


def _refuse_in_use(registry: ExternalRegistry) -> None:
    use = use_of_registry(registry)
    if use.active_licenses or use.pulls:
        raise Conflict(
            "registry_in_use",
            f"Pulls through this registry would stop: {use.active_licenses} active "
            f"licenses could use it, and there were {use.pulls} pulls in 30 days. To "
            f"delete it all the same, send ?{CONFIRM}={registry.slug}.",
            in_use={
                "applications": [application.slug for application in use.applications],
                "active_licenses": use.active_licenses,
                "pulls": use.pulls,
            },
        )


def _refuse_both(*, shared_with_all: bool, names: Sequence[str] | None) -> None:
    if shared_with_all and names is not None:
        raise Invalid(
            {"applications": ["Omit this to share the registry with all applications."]}
        )


def _pop_credential(values: dict[str, Any]) -> NewCredential:
    return NewCredential(
        auth_type=values.pop("auth_type"),
        username=values.pop("username"),
        secret=Secret(values.pop("secret")),
    )


def _image(text: str) -> Reference | None:
    if not text:
        return None
    try:
        return parse_reference(text)
    except (MalformedName, MalformedDigest) as error:
        raise Invalid({"image": [str(error)]}) from error
