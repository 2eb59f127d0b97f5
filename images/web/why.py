"""The Why page: explains whether a pull is allowed, step by step."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from images.selectors import missing_reference
from images.web.why_steps import step_rows
from licenses.identity_selectors import identities_of_team
from licenses.license_id import is_license_id
from licenses.models import License, PullCredential, TrustedIdentity
from licenses.selectors import (
    applications_for_team,
    is_secret,
    licenses_for_team,
    licenses_matching,
    licenses_with_id,
    pull_credential_by_secret,
    pull_credentials_of_team,
)
from oci.reference import MalformedName
from portal.crypto.secrets import Secret
from portal.http.pages import page_context, render_page
from portal.http.values import parse_id
from registries.decision.credentials import CURRENT_ID, Subject, SubjectKind
from registries.decision.pull import Allowed, authorize_pull
from registries.preview.typed_image import question_of
from registries.selectors import names_of_holders, refused_pulls_for_team
from registries.web.pull_links import pull_rows
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url

CANDIDATES = 10
REFUSED_SHOWN = 5
_KEPT = ("license", "holder", "image", "application")


class WhyForm(forms.Form):
    """The pull to explain. ``who`` may be a secret, so it is never in a URL."""

    who = forms.CharField(
        label="License",
        required=False,
        max_length=254,
        help_text=(
            "The customer's name or e-mail address, a license ID or a pull credential."
        ),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autofocus": True}
        ),
    )
    image = forms.CharField(
        required=False,
        max_length=1000,
        help_text="Exactly as the customer entered it.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    application = forms.ChoiceField(
        required=False, help_text="Needed only if the image name does not contain one."
    )

    def __init__(
        self, data: Mapping[str, str] | None, *, request: TeamRequest, has_holder: bool
    ) -> None:
        super().__init__(data)
        rows = applications_for_team(request.team.pk).order_by("slug")
        applications: Any = self.fields["application"]
        applications.choices = [
            ("", "The application of the license"),
            *((row.slug, row.name) for row in rows),
        ]
        proxy = page_context(request)["proxy_host"]
        self.fields["image"].widget.attrs["placeholder"] = (
            f"{proxy}/proxy/my-app/quay.io/my-org/api:v1"
        )
        if has_holder:
            del self.fields["who"]


@require_http_methods(["GET", "HEAD", "POST"])
@team_page(Permission.LICENSE_READ)
def why(request: TeamRequest) -> HttpResponse:
    """Explain a pull decision, step by step, without side effects."""
    if request.method == "POST":
        return _find_license(request)
    subject, license = _holder(request)
    has_holder = subject is not None
    form = WhyForm(request.GET or None, request=request, has_holder=has_holder)
    context: dict[str, Any] = {
        "form": form,
        "license": license,
        "holder": _holder_name(request, subject, license),
        "subject": subject,
    }
    if subject is not None and form.is_valid() and form.cleaned_data["image"]:
        context |= _explanation(request, form, subject, license)
    if license is not None:
        context["refused"] = _refused_pulls(request, license)
    return render_page(request, "images/why.html", context)


def _find_license(request: TeamRequest) -> HttpResponse:
    """Find the license, and redirect to the explanation."""
    query = {name: request.POST[name] for name in _KEPT if request.POST.get(name)}
    if {"license", "holder"} & set(query):
        return _redirect(request, query)
    who = request.POST.get("who", "").strip()
    if credential := _credential_with_text(request, who):
        subject = Subject(SubjectKind.PULL_CREDENTIAL, credential.pk)
        return _redirect(request, {**query, "holder": str(subject)})
    has_secret = is_secret(who)
    # A secret is never rendered.
    data = {**query, "who": "" if has_secret else who}
    form = WhyForm(data, request=request, has_holder=False)
    licenses = _matching_licenses(request, who)
    if license := _meant(request, licenses, query.get("image", "")):
        return _redirect(request, {**query, "license": str(license.pk)})
    if not licenses and form.is_valid():
        form.add_error("who", _not_found_message(who, has_secret=has_secret))
    context = {
        "form": form,
        "candidates": [
            (license, urlencode({**query, "license": str(license.pk)}))
            for license in licenses[:CANDIDATES]
        ],
        "has_more_candidates": len(licenses) > CANDIDATES,
    }
    return render_page(request, "images/why.html", context)


def _credential_with_text(request: TeamRequest, text: str) -> PullCredential | None:
    credential = pull_credential_by_secret(Secret(text))
    is_own = credential is not None and credential.team_id == request.team.pk
    return credential if is_own else None


def _matching_licenses(request: TeamRequest, who: str) -> list[License]:
    if is_license_id(who):
        return list(licenses_with_id(request.team.pk, Secret(who)))
    if not who or "\x00" in who:
        return []
    rows = licenses_for_team(request.team.pk)
    return list(licenses_matching(rows, request.team.pk, who)[: CANDIDATES + 1])


def _meant(
    request: TeamRequest, licenses: Sequence[License], image: str
) -> License | None:
    """Return the only license, or the only one whose application the image names."""
    if len(licenses) <= 1 or len(licenses) > CANDIDATES:
        return licenses[0] if len(licenses) == 1 else None
    hosts = page_context(request)
    try:
        question = question_of(
            image,
            proxy_host=hosts["proxy_host"],
            registry_host=hosts["registry_host"],
            application_slug="",
        )
    except MalformedName:
        return None
    slug = question.application_slug
    named = [license for license in licenses if license.application.slug == slug]
    return named[0] if len(named) == 1 else None


def _not_found_message(who: str, *, has_secret: bool) -> str:
    if is_license_id(who):
        return (
            "No license of your team has this ID. Ask the customer to copy it from "
            "the license file again."
        )
    if has_secret:
        return "No license of your team has this pull credential. Have it copied again."
    if not who:
        return (
            "Enter a customer's name or e-mail address, a license ID or a pull "
            "credential."
        )
    return "No customer of your team matches this name or e-mail address."


def _redirect(request: TeamRequest, query: Mapping[str, str]) -> HttpResponse:
    address = f"{team_url(request, 'why')}?{urlencode(query, safe='/:@')}"
    return HttpResponseRedirect(address)


def _holder(request: TeamRequest) -> tuple[Subject | None, License | None]:
    """Return the subject in the URL, and its license if it has one."""
    text = request.GET.get("license", "")
    subject = Subject.parse(request.GET.get("holder", ""))
    if text:
        pk = parse_id(text)
        subject = Subject(SubjectKind.LICENSE, pk, CURRENT_ID) if pk else None
        if subject is None:
            raise Http404
    if subject is not None and subject.kind is SubjectKind.PULL_CREDENTIAL:
        rows = pull_credentials_of_team(request.team.pk)
        credential: PullCredential = find(rows, subject.id)
        return subject, credential.license
    if subject is not None and subject.kind is SubjectKind.IDENTITY:
        identity: TrustedIdentity = find(
            identities_of_team(request.team.pk), subject.id
        )
        return subject, identity.license
    if subject is None or subject.kind is not SubjectKind.LICENSE:
        return subject, None
    license: License = find(licenses_for_team(request.team.pk), subject.id)
    return subject, license


def _holder_name(
    request: TeamRequest, subject: Subject | None, license: License | None
) -> str:
    """Return what else the subject is called; "" for a license, which says enough."""
    is_license = (
        license is not None
        and subject is not None
        and (subject.kind is SubjectKind.LICENSE)
    )
    if subject is None or is_license:
        return ""
    names = names_of_holders(request.team.pk, [str(subject)])
    if str(subject) not in names:
        raise Http404
    return names[str(subject)]


def _explanation(
    request: TeamRequest, form: WhyForm, subject: Subject, license: License | None
) -> dict[str, Any]:
    slug = form.cleaned_data["application"]
    hosts = page_context(request)
    try:
        question = question_of(
            form.cleaned_data["image"],
            proxy_host=hosts["proxy_host"],
            registry_host=hosts["registry_host"],
            application_slug=slug or (license.application.slug if license else ""),
        )
    except MalformedName as error:
        form.add_error("image", str(error))
        return {}
    if not question.application_slug:
        form.add_error(
            "application", "Choose an application: the image name does not contain one."
        )
        return {}
    decision = authorize_pull(
        subject,
        question.application_slug,
        question.upstream,
        question.repository,
        within_team=request.team.pk,
    )
    is_allowed = isinstance(decision, Allowed)
    return {
        "decision": decision,
        "is_allowed": is_allowed,
        "missing_reference": missing_reference(request.team.pk, question)
        if is_allowed
        else "",
        "steps": step_rows(request, decision, question, license),
    }


def _refused_pulls(request: TeamRequest, license: License) -> list[Any]:
    team_id: uuid.UUID = request.team.pk
    pulls = refused_pulls_for_team(team_id).filter(license=license)[:REFUSED_SHOWN]
    return pull_rows(team_id, ((pull, license) for pull in pulls))
