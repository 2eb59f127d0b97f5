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
from registries.web.registries import registry_url
from registries.web.registry_forms import (
    CredentialFields,
    DuplicateForm,
    NewRegistryForm,
    RegistryForm,
)
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.once import once, raise_if_submitted

# The only rule about the whole row is that a team's slugs are unique.
_NAMES: dict[str, str] = {NON_FIELD_ERRORS: "slug"}


@sensitive_post_parameters("secret")
@team_page(Permission.REGISTRY_MANAGE)
def add_registry(request: TeamRequest) -> HttpResponse:
    """Add an external registry; ``?provider=`` in the URL selects the fields."""
    profile = PROVIDERS.get(request.GET.get("provider", "")) or DOCKERHUB
    form = NewRegistryForm(
        _submitted_data(request),
        initial=_values_of_previous_tab(request, profile),
        profile=profile,
        auth_type=_auth_type(request, profile),
        applications=applications_for_team(request.team.pk).order_by("slug"),
    )
    if form.is_valid():
        with refusals_in(request, form, _NAMES):
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
                        registry_url(request, registry),
                        f"{registry.slug} was connected. {_test_note(form, result)}",
                    )
    return render_dialog(
        request,
        "registries/registry_add.html",
        title="Add external registry",
        form=form,
        profile=profile,
        providers=PROVIDERS.values(),
        trust=_trust_setup(request, form.auth_type, request.POST.get("endpoint", "")),
        back=team_url(request, "images"),
    )


@sensitive_post_parameters("secret")
@team_page(Permission.REGISTRY_MANAGE)
def replace_registry_credential(
    request: TeamRequest, registry_id: uuid.UUID
) -> HttpResponse:
    """Replace a registry's credential after testing the new one."""
    registry = find(registries_for_team(request.team.pk), registry_id)
    form = _credential_form(request, registry)
    if form.is_valid():
        with refusals_in(request, form):
            raise_if_submitted(request, form)
            draft = draft_credential(
                actor=request.actor, registry=registry, new=form.credential
            )
            result = _check_unless_skipped(request, draft)
            if form.accepts(result):
                with once(request, form) as submission:
                    replace_credential(actor=request.actor, draft=draft, result=result)
                    return submission.done(
                        registry_url(request, registry),
                        f"The credential was replaced. {_test_note(form, result)}",
                    )
    return render_dialog(
        request,
        "registries/registry_credential.html",
        title=f"Replace the credential of {registry.slug}",
        form=form,
        registry=registry,
        profile=form.profile,
        trust=_trust_setup(request, form.auth_type, registry.endpoint),
        back=registry_url(request, registry),
    )


def _credential_form(
    request: TeamRequest, registry: ExternalRegistry
) -> CredentialFields:
    profile = registry.provider_profile
    current = credential_in_use(registry)
    auth_type = _auth_type(request, profile, current.auth_type)
    is_same = auth_type.name == current.auth_type
    return CredentialFields(
        _submitted_data(request),
        initial={"username": current.username.reveal() if is_same else ""},
        profile=profile,
        auth_type=auth_type,
    )


@team_page(Permission.REGISTRY_MANAGE)
def edit_registry(request: TeamRequest, registry_id: uuid.UUID) -> HttpResponse:
    """Change a registry's slug, test image, trusted realm, sharing and patterns."""
    registry = find(registries_for_team(request.team.pk), registry_id)

    def save(current: ExternalRegistry, values: dict[str, Any]) -> object:
        selected = values.pop("applications")
        shared_with_all = values.pop("shared_with") == "all"
        return change_registry(
            actor=request.actor,
            registry=current,
            changes=values,
            applications=None if shared_with_all else list(selected),
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
        messages.success(request, "The registry was updated.")
        return go_to(request, registry_url(request, registry))
    return render_dialog(
        request,
        form=form,
        title=f"Edit {registry.slug}",
        text="Changes take effect within a second.",
        back=registry_url(request, registry),
    )


@team_page(Permission.REGISTRY_MANAGE)
def duplicate(request: TeamRequest, registry_id: uuid.UUID) -> HttpResponse:
    """Add the same registry again under another slug."""
    registry = find(registries_for_team(request.team.pk), registry_id)
    initial = {"slug": f"{registry.slug[:120]}-copy"}
    form = DuplicateForm(request.POST or None, initial=initial)
    if form.is_valid():
        with refusals_in(request, form, _NAMES), once(request, form) as submission:
            copy = duplicate_registry(
                actor=request.actor, registry=registry, slug=form.cleaned_data["slug"]
            )
            return submission.done(
                registry_url(request, copy),
                f"{copy.slug} was created as a copy of {registry.slug}.",
            )
    return render_dialog(
        request,
        form=form,
        title=f"Duplicate {registry.slug}",
        text="The copy has the same endpoint, credential, sharing and repositories. "
        "You can change them later, for example to share other repositories with other "
        "applications.",
        submit="Duplicate",
        back=registry_url(request, registry),
    )


@team_page(Permission.REGISTRY_MANAGE)
def delete(request: TeamRequest, registry_id: uuid.UUID) -> HttpResponse:
    """Delete a registry, after showing what stops working."""
    registry = find(registries_for_team(request.team.pk), registry_id)
    return confirm(
        request,
        lambda: delete_registry(actor=request.actor, registry=registry),
        title=f"Delete {registry.slug}?",
        details="registries/registry_delete.html",
        submit="Delete",
        done=f"{registry.slug} was deleted.",
        back=registry_url(request, registry),
        after=team_url(request, "images"),
        registry=registry,
        use=use_of_registry(registry),
    )


def _submitted_data(request: TeamRequest) -> QueryDict | None:
    """Return the submitted form, or None if nothing is to be saved."""
    return None if _is_tab_switch(request) else request.POST or None


def _is_tab_switch(request: TeamRequest) -> bool:
    # The tabs of providers and sign-in methods post the form to keep its values.
    return "switch" in request.POST


def _values_of_previous_tab(request: TeamRequest, profile: Provider) -> dict[str, Any]:
    """Return what was entered on the previous tab, without secrets.

    The endpoint is kept only if the tab is of the same provider.
    """
    if not _is_tab_switch(request):
        return {}
    names = list(NewRegistryForm.KEPT_BETWEEN_TABS)
    if request.POST["switch"] == profile.name:
        names.append("endpoint")
    entered = {name: request.POST[name] for name in names if request.POST.get(name)}
    return entered | {"applications": request.POST.getlist("applications")}


def _auth_type(request: TeamRequest, profile: Provider, default: str = "") -> AuthType:
    name = request.GET.get("auth_type", default)
    return profile.auth_type(name) or profile.auth_types[0]


def _trust_setup(
    request: TeamRequest, auth_type: AuthType, endpoint: str
) -> dict[str, Any] | None:
    """Return what to set up in the vendor's cloud account so that it trusts Berth."""
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


def _test_note(form: CredentialFields, result: CheckResult | None) -> str:
    note = (
        "It was saved without a test. Berth is checking it now."
        if result is None
        else "The test succeeded."
    )
    return f"{note} {form.paste_note}".rstrip()


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
