"""The steps of a pull decision as the Why page shows them, with advice."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
    "credential": "Is the credential valid?",
    "application": "Does it cover this application?",
    "network": "Is it allowed from the client's network?",
    "license": "Is the license active?",
    "registry": "Is the registry connected and shared with the application?",
    "repository": "May this repository be pulled?",
}
_ADVICE = {
    Reason.CREDENTIAL_UNKNOWN: (
        "It was revoked, has expired, or belonged to a former member. Use another one."
    ),
    Reason.CREDENTIAL_REVOKED: "Give the customer another pull credential.",
    Reason.CREDENTIAL_EXPIRED: (
        "Rotate the pull credential, or give the customer the current license file."
    ),
    Reason.IDENTITY_REFUSED: (
        "Test the token on the license's page, to see which rule it does not meet."
    ),
    Reason.IDENTITY_REMOVED: "Add the trusted identity again on the license's page.",
    Reason.NETWORK_NOT_ALLOWED: "Add the client's network to the pull credential.",
    Reason.APPLICATION_MISMATCH: (
        "Correct the application in the image name, or issue a license for the "
        "other application."
    ),
    Reason.LICENSE_REVOKED: "Reinstate it on its page if this was a mistake.",
    Reason.LICENSE_EXPIRED: "Change its expiry to a later date on its page.",
    Reason.CUSTOMER_ARCHIVED: "Restore the customer to let their licenses pull again.",
    Reason.REGISTRY_NOT_CONNECTED: (
        "Add this external registry, or correct the image name."
    ),
    Reason.REGISTRY_NOT_SHARED: "Share the registry with this application.",
    Reason.REPOSITORY_NOT_ALLOWED: (
        "Add a pattern that covers this repository, or correct the image name."
    ),
    Reason.SECOND_FACTOR_REQUIRED: (
        "Create a user token under API tokens, and use it as the password."
    ),
    Reason.ACTION_NOT_ALLOWED: (
        "Give this login a role with this permission, or use another login."
    ),
}


_ON_LICENSE_PAGE = {
    Reason.LICENSE_REVOKED,
    Reason.LICENSE_EXPIRED,
    Reason.CREDENTIAL_REVOKED,
    Reason.CREDENTIAL_EXPIRED,
    Reason.IDENTITY_REMOVED,
    Reason.NETWORK_NOT_ALLOWED,
}


class State(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of the decision, its answer, and where to change it."""

    title: str
    state: State
    text: str
    advice: str = ""
    url: str = ""
    link: str = ""


def step_rows(
    request: TeamRequest,
    decision: Decision,
    question: Question,
    license: License | None,
) -> list[StepRow]:
    """Return all steps in order, including those that were not reached."""
    steps = {step.check: step for step in decision.trace}
    rows = []
    for check in _checks(question, license, steps):
        step = steps.get(check)
        if step is None:
            rows.append(StepRow(_TITLES[check], State.NOT_REACHED, ""))
        elif step.passed:
            text = _passed_text(step, decision, license)
            rows.append(StepRow(_TITLES[check], State.PASSED, text))
        elif isinstance(decision, Denied):
            rows.append(_failed_row(request, step, decision, question, license))
    return rows


def _checks(
    question: Question, license: License | None, steps: Collection[str]
) -> list[str]:
    checks = ["credential", "application"]
    if "network" in steps:
        checks.append("network")
    if license is not None:
        checks.append("license")
    if question.upstream is not PRIVATE_REGISTRY:
        checks += ["registry", "repository"]
    return checks


def _passed_text(step: Step, decision: Decision, license: License | None) -> str:
    if license is None:
        return "" if step.check == "credential" else step.detail
    if step.check == "credential":
        return f"This is a license of {license.customer.name}."
    if step.check == "application":
        return f"The license is for {license.application.name}."
    if step.check == "license":
        return f"The license is not revoked and {_expiry(license)}."
    if step.check == "registry" and isinstance(decision, AllowedPull):
        return f"{decision.registry.slug} is connected and shared."
    return step.detail


def _expiry(license: License) -> str:
    if license.expires_at is None:
        return "does not expire"
    return f"expires on {timezone.localtime(license.expires_at):%Y-%m-%d %H:%M %Z}"


def _failed_row(
    request: TeamRequest,
    step: Step,
    decision: Denied,
    question: Question,
    license: License | None,
) -> StepRow:
    url, link = _fix_link(request, decision.reason, question, license)
    return StepRow(
        title=_TITLES[step.check],
        state=State.FAILED,
        text=_failed_text(step, decision.reason, license),
        advice=_ADVICE[decision.reason],
        url=url,
        link=link,
    )


def _failed_text(step: Step, reason: Reason, license: License | None) -> str:
    if reason is Reason.CREDENTIAL_UNKNOWN:
        return "No active license, API token or member of your team matches it."
    if license is None:
        return step.detail
    if reason is Reason.LICENSE_REVOKED and license.revoked_at:
        at = timezone.localtime(license.revoked_at)
        by = f" by {license.revoked_by}" if license.revoked_by else ""
        return f"Revoked on {at:%Y-%m-%d %H:%M %Z}{by}: {license.revoke_reason}"
    if reason is Reason.LICENSE_EXPIRED and license.expires_at:
        at = timezone.localtime(license.expires_at)
        return f"The license expired on {at:%Y-%m-%d %H:%M %Z}."
    if reason is Reason.CUSTOMER_ARCHIVED:
        return f"{license.customer.name} is archived."
    return step.detail


def _fix_link(
    request: TeamRequest,
    reason: Reason,
    question: Question,
    license: License | None,
) -> tuple[str, str]:
    """Return the URL of the page to fix the problem, and the link's text."""
    if reason in _ON_LICENSE_PAGE and license:
        return _url(
            request, "licenses-detail", license_id=license.pk
        ), "Open the license"
    if reason is Reason.CUSTOMER_ARCHIVED and license:
        customer_id = license.customer_id
        url = _url(request, "customers-detail", customer_id=customer_id)
        return url, "Open the customer"
    if reason is Reason.APPLICATION_MISMATCH:
        return _url(request, "applications"), "Open applications"
    if reason is Reason.CREDENTIAL_UNKNOWN:
        if request.actor.may(Permission.API_TOKEN_CREATE):
            return _url(request, "api-tokens"), "Open API tokens"
        return _url(request, "members"), "Open members"
    return _registry_link(request, reason, question)


def _registry_link(
    request: TeamRequest, reason: Reason, question: Question
) -> tuple[str, str]:
    may_manage = request.actor.may(Permission.REGISTRY_MANAGE)
    if reason is Reason.REGISTRY_NOT_CONNECTED and may_manage:
        return _url(request, "registries-add"), "Add external registry"
    registry = registries_named(request.team.pk, str(question.upstream)).first()
    if reason is Reason.REGISTRY_NOT_CONNECTED or registry is None:
        return _url(request, "images"), "Open registries"
    if may_manage:
        url = _url(request, "registries-edit", registry_id=registry.pk)
        return url, f"Edit {registry.slug}"
    return _url(
        request, "registries-detail", registry_id=registry.pk
    ), f"Open {registry.slug}"


def _url(request: TeamRequest, name: str, **names: object) -> str:
    parts: Mapping[str, object] = {"team": request.team.slug, **names}
    return reverse(name, kwargs=dict(parts))
