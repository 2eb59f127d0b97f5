"""Decides a pull for a program, exactly as for a real one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from oci.reference import MalformedName
from portal.crypto.secrets import Secret
from portal.errors import Invalid
from registries.api.serializers import (
    AuthorizationRequestSerializer,
    DecisionSerializer,
)
from registries.decision.credentials import (
    CURRENT_ID,
    PresentedCredential,
    PullCredential,
    Subject,
    SubjectKind,
)
from registries.decision.pull import (
    PRIVATE_REGISTRY,
    Allowed,
    AllowedPull,
    Decision,
    authorize_pull,
    within_networks,
)
from registries.preview.typed_image import Question, question_of
from teams.api.base import TeamView
from teams.permissions import Permission


class AuthorizeView(TeamView[Any]):
    serializer_class = DecisionSerializer

    @extend_schema(request=AuthorizationRequestSerializer)
    def post(self, request: Request) -> Response:
        """Decide whether a credential may pull, exactly as for a real pull."""
        self.require(Permission.PULL_AUTHORIZE)
        values = self.validated(AuthorizationRequestSerializer)
        question = self._question(values)
        decision = authorize_pull(
            _presented(values),
            question.application_slug,
            question.upstream,
            question.repository,
            within_team=self.team.pk,
        )
        if values["address"] is not None:
            decision = within_networks(decision, values["address"])
        fields = _decision_fields(decision, trace=values["trace"])
        return self.shown(fields)

    def _question(self, values: Mapping[str, Any]) -> Question:
        """Return what is to be pulled: an image as typed, or its parts."""
        application = values.get("application", "")
        if "image" in values:
            if values["upstream"] is not None or values["repository"]:
                message = "Send image, or upstream and repository, but not both."
                raise Invalid({"image": [message]})
            question = self._typed(values["image"], application)
        else:
            upstream = values["upstream"]
            question = Question(
                application,
                PRIVATE_REGISTRY if upstream is None else upstream,
                values["repository"],
            )
        if not question.application_slug:
            message = "Send the application, unless the image's name contains it."
            raise Invalid({"application": [message]})
        return question

    def _typed(self, text: str, application: str) -> Question:
        try:
            return question_of(
                text,
                proxy_host=settings.BERTH_PROXY_HOST or self.request.get_host(),
                registry_host=settings.BERTH_REGISTRY_HOST,
                application_slug=application,
            )
        except MalformedName as error:
            raise Invalid({"image": [str(error)]}) from error


def _presented(values: Mapping[str, Any]) -> PullCredential:
    sent = {"license", "license_id", "password"} & set(values)
    if len(sent) != 1:
        raise Invalid(
            {"body": ["Send exactly one of license, license_id and password."]}
        )
    if "license" in values:
        return Subject(SubjectKind.LICENSE, values["license"], CURRENT_ID)
    if "license_id" in values:
        return PresentedCredential("", Secret(values["license_id"]))
    password = Secret(values["password"])
    # The username matters for API tokens only. Without it no account password is tried,
    # so that nobody can guess passwords here.
    is_api_token = values["password"].startswith("berth_")
    return PresentedCredential(values["username"] if is_api_token else "", password)


def _decision_fields(decision: Decision, *, trace: bool) -> dict[str, object]:
    fields: dict[str, object] = {"trace": decision.trace if trace else None}
    if isinstance(decision, Allowed):
        registry = decision.registry.slug if isinstance(decision, AllowedPull) else None
        return fields | {
            "allowed": True,
            "reason": None,
            "message": "Allowed.",
            "repository": decision.repository,
            "registry": registry,
        }
    return fields | {
        "allowed": False,
        "reason": decision.reason,
        "message": decision.message,
        "repository": None,
        "registry": None,
    }
