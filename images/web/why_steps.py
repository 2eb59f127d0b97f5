"""The steps of a pull decision, in plain words, each with what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.urls import reverse
from django.utils import timezone

from licenses.models import License
from registries.decision.pull import PRIVATE_REGISTRY, AllowedPull, Decision, Denied
from registries.decision.steps import Step
from registries.models.outcomes import Reason
from registries.preview.typed_image import Question
from registries.selectors import registries_named
from teams.permissions import Permission
from teams.web.base import TeamRequest

_TITLES = {
    "credential": "Is the credential known?",
    "application": "Does it cover this application?",
    "license": "Is the license in force?",
    "registry": "Is the registry connected, and shared with the application?",
    "repository": "May this repository be pulled?",
}
_ADVICE = {
    Reason.CREDENTIAL_UNKNOWN: (
        "It was revoked, it has expired, or whoever it belonged to left the team. Use "
        "another one."
    ),
    Reason.APPLICATION_MISMATCH: (
        "Put the right application into the image name, or issue a license for the "
        "other one."
    ),
    Reason.LICENSE_REVOKED: "Reinstate it on its page if that was not meant.",
    Reason.LICENSE_EXPIRED: "Move its expiry to a later day on its page.",
    Reason.CUSTOMER_ARCHIVED: "Restore the customer, and their licenses pull again.",
    Reason.REGISTRY_NOT_CONNECTED: (
        "Add this external registry, or correct the image name if it has a mistake."
    ),
    Reason.REGISTRY_NOT_SHARED: "Share the registry with this application.",
    Reason.REPOSITORY_NOT_ALLOWED: (
        "Add a pattern that covers this repository, or correct the image name."
    ),
    Reason.SECOND_FACTOR_REQUIRED: (
        "Make a user token under API tokens, and use it as the password."
    ),
    Reason.ACTION_NOT_ALLOWED: (
        "Give this login a role that may do it, or use another login."
    ),
}


class State(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A question of the decision, its answer, and where to change the answer."""

    title: str
    state: State
    text: str
    advice: str = ""
    url: str = ""
    link: str = ""


def shown_steps(
    request: TeamRequest,
    decision: Decision,
    question: Question,
    license: License | None,
) -> list[ShownStep]:
    """Return every step in its order, those that were not reached too."""
    taken = {step.check: step for step in decision.trace}
    shown = []
    for check in _checks(question, license):
        step = taken.get(check)
        if step is None:
            shown.append(ShownStep(_TITLES[check], State.NOT_REACHED, ""))
        elif step.passed:
            text = _passed(step, decision, license)
            shown.append(ShownStep(_TITLES[check], State.PASSED, text))
        elif isinstance(decision, Denied):
            shown.append(_failed(request, step, decision, question, license))
    return shown


def _checks(question: Question, license: License | None) -> list[str]:
    checks = ["credential", "application"]
    if license is not None:
        checks.append("license")
    if question.upstream is not PRIVATE_REGISTRY:
        checks += ["registry", "repository"]
    return checks


def _passed(step: Step, decision: Decision, license: License | None) -> str:
    if license is None:
        return "" if step.check == "credential" else step.detail
    if step.check == "credential":
        return f"It is the license of {license.customer.name}."
    if step.check == "application":
        return f"It is a license for {license.application.name}."
    if step.check == "license":
        return f"It is not revoked, and {_expiry(license)}."
    if step.check == "registry" and isinstance(decision, AllowedPull):
        return f"{decision.registry.slug} is connected and shared."
    return step.detail


def _expiry(license: License) -> str:
    if license.expires_at is None:
        return "does not expire"
    return f"expires on {timezone.localtime(license.expires_at):%Y-%m-%d %H:%M %Z}"


def _failed(
    request: TeamRequest,
    step: Step,
    decision: Denied,
    question: Question,
    license: License | None,
) -> ShownStep:
    url, link = _next(request, decision.reason, question, license)
    return ShownStep(
        title=_TITLES[step.check],
        state=State.FAILED,
        text=_found(step, decision.reason, license),
        advice=_ADVICE[decision.reason],
        url=url,
        link=link,
    )


def _found(step: Step, reason: Reason, license: License | None) -> str:
    if reason is Reason.CREDENTIAL_UNKNOWN:
        return "No usable license, API token or user of your team is behind it."
    if license is None:
        return step.detail
    if reason is Reason.LICENSE_REVOKED and license.revoked_at:
        at = timezone.localtime(license.revoked_at)
        by = f" by {license.revoked_by}" if license.revoked_by else ""
        return f"Revoked on {at:%Y-%m-%d %H:%M %Z}{by}: {license.revoke_reason}"
    if reason is Reason.LICENSE_EXPIRED and license.expires_at:
        at = timezone.localtime(license.expires_at)
        return f"It expired on {at:%Y-%m-%d %H:%M %Z}."
    if reason is Reason.CUSTOMER_ARCHIVED:
        return f"{license.customer.name} is archived."
    return step.detail


def _next(
    request: TeamRequest,
    reason: Reason,
    question: Question,
    license: License | None,
) -> tuple[str, str]:
    """Return the page where the answer can be changed, and what its link says."""
    if reason in {Reason.LICENSE_REVOKED, Reason.LICENSE_EXPIRED} and license:
        return _url(request, "licenses-detail", license_id=license.pk), "To the license"
    if reason is Reason.CUSTOMER_ARCHIVED and license:
        customer_id = license.customer_id
        url = _url(request, "customers-detail", customer_id=customer_id)
        return url, "To the customer"
    if reason is Reason.APPLICATION_MISMATCH:
        return _url(request, "applications"), "To the applications"
    if reason is Reason.CREDENTIAL_UNKNOWN:
        if request.actor.may(Permission.API_TOKEN_CREATE):
            return _url(request, "api-tokens"), "To the API tokens"
        return _url(request, "members"), "To the members"
    return _to_registry(request, reason, question)


def _to_registry(
    request: TeamRequest, reason: Reason, question: Question
) -> tuple[str, str]:
    may_manage = request.actor.may(Permission.REGISTRY_MANAGE)
    if reason is Reason.REGISTRY_NOT_CONNECTED and may_manage:
        return _url(request, "registries-add"), "Add external registry"
    named = registries_named(request.team.pk, str(question.upstream)).first()
    if reason is Reason.REGISTRY_NOT_CONNECTED or named is None:
        return _url(request, "images"), "To the registries"
    if may_manage:
        url = _url(request, "registries-edit", registry_id=named.pk)
        return url, f"Edit {named.slug}"
    return _url(request, "registries-detail", registry_id=named.pk), f"To {named.slug}"


def _url(request: TeamRequest, name: str, **names: object) -> str:
    parts: Mapping[str, object] = {"team": request.team.slug, **names}
    return reverse(name, kwargs=dict(parts))
