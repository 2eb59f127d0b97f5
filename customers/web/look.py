"""How a team's customers see it: the page of settings, and what browsers fetch."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from customers.accent import accents, is_color
from customers.logo import MAX_BYTES
from customers.models import VendorLook
from customers.selectors import logo_by_digest, look_of_team
from customers.services.look import change_logo, change_look
from portal.http.dialogs import confirm
from portal.http.forms import EditForm, edit, refusals_in
from portal.http.pages import render_page
from teams.models import Team
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page, team_url

FIELDS = ("display_name", "accent", "support_email", "support_url", "reply_to")
# Under a name of its content, so that it never changes.
FOREVER = "public, max-age=31536000, immutable"


class LookForm(EditForm):
    display_name = forms.CharField(
        max_length=150,
        required=False,
        help_text="What customers know you as. Empty for the team's name.",
    )
    accent = forms.CharField(
        label="Color",
        max_length=7,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "#1b55a6"}),
        help_text="Of buttons and links, such as #1b55a6. Where it could not be read, "
        "it is made darker, or lighter in the dark theme.",
    )
    support_email = forms.EmailField(
        label="E-mail address of your support", max_length=254, required=False
    )
    support_url = forms.CharField(
        label="Website of your support",
        max_length=500,
        required=False,
        help_text="Customers' pages link to both.",
    )
    reply_to = forms.EmailField(
        label="Replies to",
        max_length=254,
        required=False,
        help_text="Where answers to mails to customers go. Empty for your support's "
        "address.",
    )

    def clean_accent(self) -> str:
        return str(self.cleaned_data["accent"]).lower()


class LogoForm(forms.Form):
    logo = forms.FileField(
        help_text=f"PNG or JPEG of at most {MAX_BYTES // 1024} KB, best on a "
        "transparent or white background."
    )


@team_page(Permission.TEAM_MANAGE)
def look(request: TeamRequest) -> HttpResponse:
    """Change what customers see of the team."""

    def save(team: Team, changes: dict[str, Any]) -> object:
        return change_look(actor=request.actor, team=team, changes=changes)

    form, is_saved = edit(request, LookForm, request.team, values=_values, save=save)
    if is_saved:
        messages.success(request, "What customers see is saved.")
        return redirect("customer-look", team=request.team.slug)
    return _page(request, form, LogoForm())


@team_page(Permission.TEAM_MANAGE)
def upload_logo(request: TeamRequest) -> HttpResponse:
    """Replace the logo."""
    if request.method != "POST":
        return redirect("customer-look", team=request.team.slug)
    form = LogoForm(request.POST, request.FILES)
    if form.is_valid():
        # One byte more than allowed is enough to refuse it.
        content = form.cleaned_data["logo"].read(MAX_BYTES + 1)
        with refusals_in(request, form):
            change_logo(actor=request.actor, team=request.team, content=content)
            messages.success(request, "The logo is saved.")
            return redirect("customer-look", team=request.team.slug)
    shown = LookForm(initial=_values(request.team))
    return _page(request, shown, form)


@team_page(Permission.TEAM_MANAGE)
def remove_logo(request: TeamRequest) -> HttpResponse:
    """Remove the logo, after asking."""
    return confirm(
        request,
        lambda: change_logo(actor=request.actor, team=request.team, content=None),
        title="Remove the logo?",
        text="Customers then see your name alone.",
        submit="Remove",
        done="The logo is removed.",
        back=team_url(request, "customer-look"),
    )


@require_safe
def logo(request: HttpRequest, digest: str) -> HttpResponse:
    """Send a logo to anybody who knows its digest."""
    found = logo_by_digest(digest)
    if found is None:
        raise Http404
    response = HttpResponse(bytes(found.logo or b""), content_type=found.logo_type)
    response.headers["Cache-Control"] = FOREVER
    # A browser that opens it alone runs nothing, whatever is in it.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@require_safe
def accent_style(request: HttpRequest, color: str) -> HttpResponse:
    """Send the style sheet of a color; it is the same for everybody."""
    if not is_color(f"#{color}"):
        raise Http404
    light, dark = accents(f"#{color}")
    style = "".join(
        f"{selector} {{ --vendor-text: {accent.text}; --vendor-button: "
        f"{accent.button}; --vendor-on-button: {accent.on_button}; }}\n"
        for selector, accent in ((":root", light), ('[data-bs-theme="dark"]', dark))
    )
    response = HttpResponse(style, content_type="text/css")
    response.headers["Cache-Control"] = FOREVER
    return response


def _page(request: TeamRequest, form: LookForm, logo_form: LogoForm) -> HttpResponse:
    context = {
        "form": form,
        "logo_form": logo_form,
        "look": look_of_team(request.team),
    }
    return render_page(request, "customers/look.html", context)


def _values(team: Team) -> dict[str, Any]:
    shown: VendorLook = look_of_team(team)
    return {name: getattr(shown, name) for name in FIELDS}
