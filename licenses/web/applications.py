"""Pages of applications."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models.functions import Lower
from django.http import Http404, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_POST, require_safe
from django_filters import filters

from licenses.filters import ApplicationFilter
from licenses.models import Application
from licenses.selectors import applications_with_licenses, channels_with_licenses
from licenses.services import (
    change_application,
    change_slug,
    create_application,
    delete_application,
    restore_application,
)
from portal.http.dialogs import confirm, edit_dialog, render_dialog
from portal.http.forms import CreateForm, EditForm, refusals_in
from portal.http.pages import go_to, render_page
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page, team_url
from teams.web.forms import SLUG_HELP, SLUG_LENGTH, slug_from
from teams.web.lists.export import export_list
from teams.web.lists.filters import PageFilter
from teams.web.lists.tables import Column, Table, instant_cell, table_list
from teams.web.once import once


class SluggedForm(CreateForm):
    """A form that derives the slug from the name if none is given."""

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        name = values.get("name")
        if name and not values.get("slug") and "slug" not in self.errors:
            values["slug"] = slug_from(name)
            if not values["slug"]:
                self.add_error(
                    "slug", "No slug can be derived from this name. Enter one."
                )
        return values


class NewApplicationForm(SluggedForm):
    name = forms.CharField(max_length=150, help_text="As your customers know it.")
    slug = forms.CharField(
        max_length=SLUG_LENGTH,
        required=False,
        help_text="Part of every image name; a change would break them. "
        f"{SLUG_HELP} Leave empty to derive it from the name.",
    )


class ApplicationForm(EditForm):
    name = forms.CharField(
        max_length=150, help_text="The slug and all image names stay the same."
    )


class ApplicationSlugForm(forms.Form):
    slug = forms.CharField(max_length=SLUG_LENGTH, help_text=SLUG_HELP)


class ApplicationPageFilter(PageFilter, ApplicationFilter):
    shown = ("archived",)
    archived = filters.ChoiceFilter(
        method="filter_archived",
        label="Show",
        choices=[("true", "Archived")],
        empty_label="Current",
    )


TABLE = Table(
    (
        Column("name", "Application", lambda row: row.name, by=Lower("name")),
        Column("slug", "Slug", lambda row: row.slug, by="slug"),
        Column(
            "channels",
            "Channels",
            lambda row: ", ".join(channel.name for channel in row.channels.all()),
        ),
        Column(
            "active_licenses", "Active licenses", lambda row: str(row.active_licenses)
        ),
        Column(
            "added",
            "Added",
            lambda row: instant_cell(row.created_at),
            by="created_at",
            descends=True,
        ),
        Column("archived", cell=lambda row: instant_cell(row.archived_at)),
        Column("id", cell=lambda row: str(row.pk)),
    ),
    order="-added",
)


@require_safe
@team_page(Permission.APPLICATION_READ)
def applications(request: TeamRequest) -> HttpResponse:
    """List the team's applications, or archived ones."""
    context = table_list(_filtered(request), TABLE)
    return render_page(
        request,
        "licenses/applications.html",
        context,
        partial="licenses/applications_list.html",
    )


@require_safe
@team_page(Permission.APPLICATION_READ)
def export_applications(request: TeamRequest) -> HttpResponseBase:
    """Stream the applications as CSV."""
    return export_list(request, _filtered(request), TABLE, "applications")


def _filtered(request: TeamRequest) -> ApplicationPageFilter:
    rows = applications_with_licenses(request.team.pk)
    return ApplicationPageFilter(request.GET, rows, request=request)


@team_page(Permission.APPLICATION_MANAGE)
def add_application(request: TeamRequest) -> HttpResponse:
    """Add an application."""
    form = NewApplicationForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form), once(request, form) as submission:
            application = create_application(
                actor=request.actor, team=request.team, **form.entered
            )
            address = application_address(request, application)
            return submission.done(address, f"{application.name} is added.")
    return render_dialog(
        request,
        form=form,
        title="Add application",
        text="It starts with one channel, Stable.",
        submit="Add application",
        back=team_url(request, "applications"),
    )


@require_safe
@team_page(Permission.APPLICATION_READ)
def application_detail(request: TeamRequest, application_slug: str) -> HttpResponse:
    """Show an application: image names, channels and license fields."""
    application = find_application(request, application_slug)
    context = {
        "application": application,
        "channels": channels_with_licenses(application),
        "license_fields": application.license_fields.order_by("name"),
    }
    return render_page(request, "licenses/application.html", context)


@team_page(Permission.APPLICATION_MANAGE)
def edit_application(request: TeamRequest, application_slug: str) -> HttpResponse:
    """Rename an application."""
    application = find_application(request, application_slug)

    def save(row: Application, changes: dict[str, Any]) -> object:
        return change_application(actor=request.actor, application=row, **changes)

    return edit_dialog(
        request,
        ApplicationForm,
        application,
        values=lambda row: {"name": row.name},
        save=save,
        title=f"Rename {application.name}",
        done="The application is saved.",
        back=application_address(request, application),
    )


@team_page(Permission.APPLICATION_MANAGE)
def change_application_slug(
    request: TeamRequest, application_slug: str
) -> HttpResponse:
    """Change an application's slug, after showing whose image names stop working."""
    application = find_application(request, application_slug)
    form = ApplicationSlugForm(
        request.POST if request.method == "POST" else None,
        initial={"slug": application.slug},
    )
    is_possible = not application.image_repositories.exists()
    form.fields["slug"].widget.attrs["disabled"] = not is_possible

    def change() -> None:
        change_slug(
            actor=request.actor,
            application=application,
            slug=form.cleaned_data["slug"],
            confirmed=application_slug,
        )

    return confirm(
        request,
        change,
        form=form,
        title=f"Change the slug of {application.name}",
        details="licenses/application_slug.html",
        submit="Change slug",
        is_possible=is_possible,
        done="The slug is changed.",
        back=application_address(request, application),
        after=lambda: team_url(
            request, "applications-detail", application_slug=form.cleaned_data["slug"]
        ),
        application=application,
    )


@team_page(Permission.APPLICATION_MANAGE)
def remove_application(request: TeamRequest, application_slug: str) -> HttpResponse:
    """Delete an application, or archive it, after showing which of them and why."""
    application = find_application(request, application_slug)
    has_licenses = bool(application.all_licenses)  # type: ignore[attr-defined]  # annotated
    is_kept = not has_licenses and application.licenses.exists()
    return confirm(
        request,
        lambda: delete_application(actor=request.actor, application=application),
        title=f"{'Archive' if is_kept else 'Delete'} {application.name}?",
        details="licenses/application_delete.html",
        submit="Archive" if is_kept else "Delete application",
        is_possible=not has_licenses,
        done=lambda archived: (
            f"{application.name} is {'archived' if archived else 'deleted'}."
        ),
        back=application_address(request, application),
        after=team_url(request, "applications"),
        application=application,
        is_kept=is_kept,
    )


@require_POST
@team_page(Permission.APPLICATION_MANAGE)
def restore(request: TeamRequest, application_slug: str) -> HttpResponse:
    """Restore an archived application; its licenses stay archived."""
    application = find_application(request, application_slug)
    restore_application(actor=request.actor, application=application)
    messages.success(
        request, f"{application.name} is restored. Its licenses are still archived."
    )
    return go_to(request, application_address(request, application))


def find_application(request: TeamRequest, slug: str) -> Application:
    """Return the team's application with this slug, also archived, or raise Http404."""
    rows = applications_with_licenses(request.team.pk)
    application = rows.filter(slug=slug).first()
    if application is None:
        raise Http404
    return application


def application_address(request: TeamRequest, application: Application) -> str:
    """Return the address of the application's page."""
    return team_url(request, "applications-detail", application_slug=application.slug)
