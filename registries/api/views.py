from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from licenses.models import Application, License
from licenses.selectors import applications_for_team, licenses_for_team
from oci.digest import MalformedDigest
from oci.reference import MalformedName, Reference, parse_reference
from portal.crypto.secrets import Secret
from portal.errors import Invalid
from registries import services
from registries.api.serializers import (
    AuthorizationRequestSerializer,
    CheckResultSerializer,
    CredentialCheckSerializer,
    DecisionSerializer,
    DuplicationSerializer,
    NewCredentialSerializer,
    NewRegistrySerializer,
    NewRegistryTestSerializer,
    PullSerializer,
    RegistryChangesSerializer,
    RegistrySerializer,
    RegistryTestSerializer,
)
from registries.checks.new_credentials import NewCredential
from registries.decision.credentials import (
    PresentedCredential,
    PullCredential,
    Subject,
    SubjectKind,
)
from registries.decision.pull import PRIVATE_REGISTRY, Allowed, Decision, authorize_pull
from registries.filters import PullFilter
from registries.models import CredentialCheck, ExternalRegistry, PullEvent
from registries.selectors import (
    checks_of_registry,
    pulls_for_team,
    registries_for_team,
)
from registries.services import NewRegistry
from teams.api.base import TeamView, by_id_or_slug, find, find_by_id_or_slug
from teams.api.idempotency import idempotent
from teams.permissions import Permission


class RegistryView(TeamView):
    """A view of the registry in the address, or of all; not routed itself."""

    @property
    def registry(self) -> ExternalRegistry:
        if getattr(self, "swagger_fake_view", False):
            return ExternalRegistry(team_id=self.team_id)
        return find_by_id_or_slug(
            registries_for_team(self.team_id), self.kwargs["registry"]
        )

    def shown_registry(self, registry_id: uuid.UUID, status: int = 200) -> Response:
        """Return a registry as it now is."""
        found = find(registries_for_team(self.team_id), pk=registry_id)
        return self.shown(RegistrySerializer, found, status)

    def applications_named(self, names: Sequence[str]) -> list[Application]:
        """Return the team's applications with these IDs or slugs, or raise Invalid."""
        rows = applications_for_team(self.team_id)
        found = [by_id_or_slug(rows, name) for name in names]
        unknown = [name for name, row in zip(names, found, strict=True) if row is None]
        if unknown:
            raise Invalid({"applications": [f"No application: {unknown[0]}"]})
        return [row for row in found if row is not None]


class RegistriesView(RegistryView):
    def get_queryset(self) -> QuerySet[ExternalRegistry]:
        return registries_for_team(self.team_id)

    @extend_schema(
        operation_id="registries_list", responses=RegistrySerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List the team's external registries."""
        self.require(Permission.REGISTRY_READ)
        return self.page(RegistrySerializer)

    @extend_schema(
        operation_id="registries_create",
        request=NewRegistrySerializer,
        responses={201: RegistrySerializer},
    )
    @idempotent(Permission.REGISTRY_MANAGE)
    def post(self, request: Request) -> Response:
        """Add an external registry, once it has accepted the credential."""
        registry = services.store_registry(actor=self.actor, ready=self._ready)
        return self.shown_registry(registry.pk, 201)

    def prepare(self) -> None:
        values = self.validated(NewRegistrySerializer)
        skip_test = values.pop("skip_test")
        names = values.pop("applications")
        shared_with_all = values.pop("shared_with_all", names is None)
        _refuse_both(shared_with_all=shared_with_all, names=names)
        new = NewRegistry(
            credential=_pop_credential(values),
            applications=(
                None if shared_with_all else self.applications_named(names or [])
            ),
            **values,
        )
        self._ready = services.prepare_registry(
            actor=self.actor, team=self.team, new=new, skip_test=skip_test
        )


class RegistryDetailView(RegistryView):
    @extend_schema(operation_id="registries_read", responses=RegistrySerializer)
    def get(self, request: Request, registry: str) -> Response:
        """Read a registry, by ID or slug."""
        self.require(Permission.REGISTRY_READ)
        return self.shown(RegistrySerializer, self.registry)

    @extend_schema(
        operation_id="registries_change",
        request=RegistryChangesSerializer,
        responses=RegistrySerializer,
    )
    def patch(self, request: Request, registry: str) -> Response:
        """Change slug, trusted realm, patterns or sharing; felt within a second."""
        found = self.registry
        self.require(Permission.REGISTRY_MANAGE)
        changes = self.validated(RegistryChangesSerializer)
        change_shares = bool({"shared_with_all", "applications"} & set(changes))
        applications = self._pop_shares(found, changes)
        services.change_registry(
            actor=self.actor,
            registry=found,
            changes=changes,
            applications=applications,
            change_shares=change_shares,
        )
        return self.shown_registry(found.pk)

    @extend_schema(operation_id="registries_delete", responses={204: None})
    def delete(self, request: Request, registry: str) -> Response:
        """Forget a registry and its credential; pulls through it stop."""
        services.delete_registry(actor=self.actor, registry=self.registry)
        return Response(status=204)

    def _pop_shares(
        self, registry: ExternalRegistry, changes: dict[str, Any]
    ) -> list[Application] | None:
        """Return whom to share with, None for all; what is left out stays."""
        present = list(registry.applications.all())
        names = changes.pop("applications", None)
        shared_with_all = changes.pop("shared_with_all", names is None)
        _refuse_both(shared_with_all=shared_with_all, names=names)
        if shared_with_all:
            return None
        return self.applications_named(names) if names is not None else present


class NewRegistryTestView(TeamView):
    @extend_schema(
        operation_id="registries_test_new",
        request=NewRegistryTestSerializer,
        responses=CheckResultSerializer,
    )
    def post(self, request: Request) -> Response:
        """Try a credential of a registry that is not connected; stores nothing."""
        self.require(Permission.REGISTRY_MANAGE)
        values = self.validated(NewRegistryTestSerializer)
        image = _image(values.pop("image"))
        new = NewRegistry(
            credential=_pop_credential(values),
            test_image=image.without_registry if image else "",
            **values,
        )
        result = services.try_new_registry(actor=self.actor, team=self.team, new=new)
        return self.shown(CheckResultSerializer, result)


class RegistryTestView(RegistryView):
    @extend_schema(
        operation_id="registries_test",
        request=RegistryTestSerializer,
        responses=CheckResultSerializer,
    )
    def post(self, request: Request, registry: str) -> Response:
        """Try the stored credential now and note what came of it."""
        found = self.registry
        self.require(Permission.REGISTRY_MANAGE)
        image = _image(self.validated(RegistryTestSerializer)["image"])
        result = services.try_registry(actor=self.actor, registry=found, image=image)
        return self.shown(CheckResultSerializer, result)


class RegistryCredentialView(RegistryView):
    @extend_schema(
        operation_id="registries_replace_credential",
        request=NewCredentialSerializer,
        responses=RegistrySerializer,
    )
    @idempotent(Permission.REGISTRY_MANAGE)
    def put(self, request: Request, registry: str) -> Response:
        """Swap in a new credential once the registry has accepted it."""
        version = services.use_credential(actor=self.actor, ready=self._ready)
        return self.shown_registry(version.registry_id)

    def prepare(self) -> None:
        found = self.registry
        values = self.validated(NewCredentialSerializer)
        self._ready = services.prepare_credential(
            actor=self.actor,
            registry=found,
            credential=_pop_credential(values),
            skip_test=values["skip_test"],
        )


class RegistryDuplicateView(RegistryView):
    @extend_schema(
        operation_id="registries_duplicate",
        request=DuplicationSerializer,
        responses={201: RegistrySerializer},
    )
    @idempotent(Permission.REGISTRY_MANAGE)
    def post(self, request: Request, registry: str) -> Response:
        """Add the same registry again under another slug."""
        found = self.registry
        slug = self.validated(DuplicationSerializer)["slug"]
        duplicate = services.duplicate_registry(
            actor=self.actor, registry=found, slug=slug
        )
        return self.shown_registry(duplicate.pk, 201)


class RegistryChecksView(RegistryView):
    def get_queryset(self) -> QuerySet[CredentialCheck]:
        return checks_of_registry(self.registry)

    @extend_schema(
        operation_id="registries_checks", responses=CredentialCheckSerializer(many=True)
    )
    def get(self, request: Request, registry: str) -> Response:
        """List what came of trying a registry's credential, newest first."""
        self.require(Permission.REGISTRY_READ)
        return self.page(CredentialCheckSerializer)


class PullsView(TeamView):
    ordering = ("-last_at", "-id")
    filterset_class: ClassVar[type[PullFilter]] = PullFilter

    def get_queryset(self) -> QuerySet[PullEvent]:
        return pulls_for_team(self.team_id)

    @extend_schema(operation_id="pulls_list", responses=PullSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List counted pulls, the latest first, refused ones too."""
        self.require(Permission.LICENSE_READ)
        return self.page(PullSerializer)


class RegistryPullsView(RegistryView):
    ordering = ("-last_at", "-id")

    def get_queryset(self) -> QuerySet[PullEvent]:
        return pulls_for_team(self.team_id).filter(registry_id=self.registry.pk)

    @extend_schema(operation_id="registries_pulls", responses=PullSerializer(many=True))
    def get(self, request: Request, registry: str) -> Response:
        """List counted pulls through one registry, the latest first."""
        self.require(Permission.REGISTRY_READ)
        return self.page(PullSerializer)


class LicensePullsView(TeamView):
    ordering = ("-last_at", "-id")

    def get_queryset(self) -> QuerySet[PullEvent]:
        return pulls_for_team(self.team_id).filter(license=self._license)

    @extend_schema(operation_id="licenses_pulls", responses=PullSerializer(many=True))
    def get(self, request: Request, license_id: uuid.UUID) -> Response:
        """List counted pulls with one license, the latest first."""
        self.require(Permission.LICENSE_READ)
        return self.page(PullSerializer)

    @property
    def _license(self) -> License:
        if getattr(self, "swagger_fake_view", False):
            return License(team_id=self.team_id)
        return find(licenses_for_team(self.team_id), pk=self.kwargs["license_id"])


class AuthorizeView(TeamView):
    @extend_schema(
        operation_id="authorize",
        request=AuthorizationRequestSerializer,
        responses=DecisionSerializer,
    )
    def post(self, request: Request) -> Response:
        """Ask whether a credential may pull, as Berth's own paths ask."""
        self.require(Permission.PULL_AUTHORIZE)
        values = self.validated(AuthorizationRequestSerializer)
        upstream = values["upstream"]
        decision = authorize_pull(
            _presented(values),
            values["application"],
            PRIVATE_REGISTRY if upstream is None else upstream,
            values["repository"],
            within_team=self.team.pk,
        )
        told = _told(decision, trace=values["trace"])
        return self.shown(DecisionSerializer, told)


def _refuse_both(*, shared_with_all: bool, names: Sequence[str] | None) -> None:
    if shared_with_all and names is not None:
        raise Invalid({"applications": ["Leave this out to share with all."]})


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


def _presented(values: Mapping[str, Any]) -> PullCredential:
    given = {"license", "license_id", "password"} & set(values)
    if len(given) != 1:
        raise Invalid({"body": ["Give one of license, license_id or password."]})
    if "license" in values:
        return Subject(SubjectKind.LICENSE, values["license"])
    if "license_id" in values:
        return PresentedCredential("", Secret(values["license_id"]))
    password = Secret(values["password"])
    # The username matters for API tokens only. Left out otherwise, no account password
    # is tried: this must not become a place to guess those of any team's people.
    is_api_token = values["password"].startswith("berth_")
    return PresentedCredential(values["username"] if is_api_token else "", password)


def _told(decision: Decision, *, trace: bool) -> dict[str, object]:
    told: dict[str, object] = {"trace": decision.trace if trace else None}
    if isinstance(decision, Allowed):
        registry = decision.registry.slug if decision.registry else None
        return told | {
            "allowed": True,
            "reason": None,
            "message": "Allowed.",
            "repository": decision.repository,
            "registry": registry,
        }
    return told | {
        "allowed": False,
        "reason": decision.reason,
        "message": decision.message,
        "repository": None,
        "registry": None,
    }
