"""Pages that add, change and delete external registries."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpResponse, QueryDict
from django.views.decorators.debug import sensitive_post_parameters

from licenses.selectors import applications_for_team
from portal.http.dialogs import confirm, render_dialog
from portal.http.forms import edit, refusals_in
from portal.http.pages import go_to
from registries.checks.attempt import (
    CheckResult,
    check_credential_now,
)
from registries.models import Credential, ExternalRegistry
from registries.providers import DOCKERHUB, PROVIDERS, AuthType, Provider
from registries.providers.amazon import web_identity
from registries.providers.amazon.login import ENDPOINT, partition
from registries.selectors import (
    credential_in_use,
    registries_for_team,
    use_of_registry,
)
from registries.services import (
    change_registry,
    delete_registry,
    draft_credential,
    draft_registry,
    duplicate_registry,
    replace_credential,
    store_registry,
)
from registries.web.registries import registry_address
from registries.web.registry_forms import (
    CredentialFields,
    DuplicateForm,
    NewRegistryForm,
    RegistryForm,
)
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.once import once, raise_if_submitted

# The only rule about several values is that a team's slugs differ.
_NAMES: dict[str, str] = {NON_FIELD_ERRORS: "slug"}


@sensitive_post_parameters("secret")
@team_page(Permission.REGISTRY_MANAGE)
def add_registry(request: TeamRequest) -> HttpResponse:
    """Add an external registry, with the fields of the provider in the address."""
    profile = PROVIDERS.get(request.GET.get("provider", "")) or DOCKERHUB
    form = NewRegistryForm(
        _sent(request),
        initial=_typed(request, profile),
        profile=profile,
        auth_type=_auth_type(request, profile),
        applications=applications_for_team(request.team.pk).order_by("slug"),
    )
    if form.is_valid():
        with refusals_in(form, _NAMES):
            raise_if_submitted(request, form)
            new = form.new_registry()
            draft = draft_registry(actor=request.actor, team=request.team, new=new)
            result = _check_unless_skipped(request, draft)
            if form.accepts(result):
                with once(request, form) as submission:
                    registry = store_registry(
                        actor=request.actor,
                        draft=draft,
                        applications=new.applications,
                        result=result,
                    )
                    return submission.done(
                        registry_address(request, registry),
                        f"{registry.slug} is connected. {_tested(result)}",
                    )
    return render_dialog(
        request,
        "registries/registry_add.html",
        title="Add external registry",
        form=form,
        profile=profile,
        providers=PROVIDERS.values(),
        trust=_trust(request, form.auth_type, request.POST.get("endpoint", "")),
        back=team_url(request, "images"),
    )


@sensitive_post_parameters("secret")
@team_page(Permission.REGISTRY_MANAGE)
def replace(request: TeamRequest, registry_id: uuid.UUID) -> HttpResponse:
    """Replace a registry's credential, once the new one has been tested."""
    registry = find(registries_for_team(request.team.pk), registry_id)
    form = _credential_form(request, registry)
    if form.is_valid():
        with refusals_in(form):
            raise_if_submitted(request, form)
            draft = draft_credential(
                actor=request.actor, registry=registry, new=form.credential
            )
            result = _check_unless_skipped(request, draft)
            if form.accepts(result):
                with once(request, form) as submission:
                    replace_credential(actor=request.actor, draft=draft, result=result)
                    return submission.done(
                        registry_address(request, registry),
                        f"The credential is replaced. {_tested(result)}",
                    )
    return render_dialog(
        request,
        "registries/registry_credential.html",
        title=f"Replace the credential of {registry.slug}",
        form=form,
        registry=registry,
        profile=form.profile,
        trust=_trust(request, form.auth_type, registry.endpoint),
        back=registry_address(request, registry),
    )


def _credential_form(
    request: TeamRequest, registry: ExternalRegistry
) -> CredentialFields:
    profile = registry.provider_profile
    current = credential_in_use(registry)
    auth_type = _auth_type(request, profile, current.auth_type)
    is_same = auth_type.name == current.auth_type
    return CredentialFields(
        _sent(request),
        initial={"username": current.username.reveal() if is_same else ""},
        profile=profile,
        auth_type=auth_type,
    )


@team_page(Permission.REGISTRY_MANAGE)
def edit_registry(request: TeamRequest, registry_id: uuid.UUID) -> HttpResponse:
    """Change a registry's slug, test image, trusted realm, sharing and patterns."""
    registry = find(registries_for_team(request.team.pk), registry_id)

    def save(present: ExternalRegistry, values: dict[str, Any]) -> object:
        chosen = values.pop("applications")
        shared_with_all = values.pop("shared_with") == "all"
        return change_registry(
            actor=request.actor,
            registry=present,
            changes=values,
            applications=None if shared_with_all else list(chosen),
            change_shares=True,
        )

    form, is_saved = edit(
        request,
        RegistryForm,
        registry,
        values=_values,
        save=save,
        names=_NAMES,
        profile=registry.provider_profile,
        applications=applications_for_team(request.team.pk).order_by("slug"),
    )
    if is_saved:
        messages.success(request, "The registry is saved.")
        return go_to(request, registry_address(request, registry))
    return render_dialog(
        request,
        form=form,
        title=f"Edit {registry.slug}",
        text="Changes are felt by pulls within a second.",
        back=registry_address(request, registry),
    )


@team_page(Permission.REGISTRY_MANAGE)
def duplicate(request: TeamRequest, registry_id: uuid.UUID) -> HttpResponse:
    """Add the same registry again under another slug."""
    registry = find(registries_for_team(request.team.pk), registry_id)
    initial = {"slug": f"{registry.slug[:120]}-copy"}
    form = DuplicateForm(request.POST or None, initial=initial)
    if form.is_valid():
        with refusals_in(form, _NAMES), once(request, form) as submission:
            copy = duplicate_registry(
                actor=request.actor, registry=registry, slug=form.cleaned_data["slug"]
            )
            return submission.done(
                registry_address(request, copy),
                f"{copy.slug} is connected, like {registry.slug}.",
            )
    return render_dialog(
        request,
        form=form,
        title=f"Duplicate {registry.slug}",
        text="The copy has the same endpoint, credential, sharing and repositories. "
        "Change them afterwards, for instance to offer other repositories to other "
        "applications.",
        submit="Duplicate",
        back=registry_address(request, registry),
    )


@team_page(Permission.REGISTRY_MANAGE)
def delete(request: TeamRequest, registry_id: uuid.UUID) -> HttpResponse:
    """Delete a registry, after saying what that breaks."""
    registry = find(registries_for_team(request.team.pk), registry_id)
    return confirm(
        request,
        lambda: delete_registry(actor=request.actor, registry=registry),
        title=f"Delete {registry.slug}?",
        details="registries/registry_delete.html",
        submit="Delete",
        done=f"{registry.slug} is deleted.",
        back=registry_address(request, registry),
        after=team_url(request, "images"),
        registry=registry,
        use=use_of_registry(registry),
    )


def _sent(request: TeamRequest) -> QueryDict | None:
    """Return what was sent to be saved, None if the form is only looked at."""
    return None if _is_switch(request) else request.POST or None


def _is_switch(request: TeamRequest) -> bool:
    # A tab of another provider, which takes along what was typed.
    return "switch" in request.POST


def _typed(request: TeamRequest, profile: Provider) -> dict[str, Any]:
    """Return what was typed before another tab was chosen, without secrets.

    The endpoint is another provider's, unless only the way to sign in was changed.
    """
    if not _is_switch(request):
        return {}
    is_same = request.POST["switch"] == profile.name
    names = [*NewRegistryForm.CARRIED, *(["endpoint"] if is_same else [])]
    typed = {name: request.POST[name] for name in names if request.POST.get(name)}
    return typed | {"applications": request.POST.getlist("applications")}


def _auth_type(request: TeamRequest, profile: Provider, usual: str = "") -> AuthType:
    asked = request.GET.get("auth_type", usual)
    return profile.auth_type(asked) or profile.auth_types[0]


def _trust(
    request: TeamRequest, auth_type: AuthType, endpoint: str
) -> dict[str, Any] | None:
    """Return what the vendor's cloud account has to trust, None for nothing."""
    if not auth_type.trusts_berth or not web_identity.is_available():
        return None
    account = endpoint[:12] if ENDPOINT.fullmatch(endpoint) else "123456789012"
    policy = web_identity.trust_policy(request.team.pk, account, partition(endpoint))
    return {
        "issuer": settings.BERTH_ISSUER_URL,
        "is_local": settings.BERTH_ISSUER_URL.startswith("http://"),
        "audience": web_identity.AUDIENCE,
        "policy": policy,
    }


def _check_unless_skipped(
    request: TeamRequest, draft: Credential
) -> CheckResult | None:
    return None if "anyway" in request.POST else check_credential_now(draft)


def _tested(result: CheckResult | None) -> str:
    if result is None:
        return "It was saved without a test; Berth checks it now."
    return "The test succeeded."


def _values(registry: ExternalRegistry) -> dict[str, Any]:
    shares = registry.applications.order_by("slug").values_list("pk", flat=True)
    return {
        "slug": registry.slug,
        "test_image": registry.test_image,
        "trusted_realm": registry.trusted_realm,
        "shared_with": "all" if registry.shared_with_all else "chosen",
        "applications": list(shares),
        "repository_patterns": "\n".join(registry.repository_patterns),
    }
