"""The team's own settings."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.forms.utils import flatatt
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.http.forms import EditForm, edit
from portal.http.pages import render_page
from teams.models import Team, available_time_zones
from teams.permissions import Permission
from teams.second_factor import has_second_factor
from teams.services import change_team
from teams.web.base import TeamRequest, team_page

_OWN_FACTOR_FIRST = (
    "Members without one are locked out until they set one up. You have none yourself, "
    "so you are asked to set one up as soon as you save this."
)


class _ZoneSelect(forms.Select):
    """A select of hundreds, for each of which Django would render two templates."""

    def render(
        self, name: str, value: Any, attrs: Any = None, renderer: Any = None
    ) -> SafeString:
        shown = self.get_context(name, value, attrs)["widget"]
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            (
                (each["value"], flatatt(each["attrs"]), each["label"])
                for _, group, _ in shown["optgroups"]
                for each in group
            ),
        )
        attributes = flatatt({"name": name, **shown["attrs"]})
        return format_html("<select{}>{}</select>", attributes, options)


class TeamForm(EditForm):
    name = forms.CharField(max_length=150)
    time_zone = forms.ChoiceField(
        choices=lambda: [(name, name) for name in sorted(available_time_zones())],
        widget=_ZoneSelect,
        help_text="Times are entered and shown in this time zone.",
    )
    require_second_factor = forms.BooleanField(
        required=False,
        label="Require a second factor for all members",
        help_text="Members without one are locked out until they set one up.",
    )
    customers_make_credentials = forms.BooleanField(
        required=False,
        label="Let licenses make pull credentials",
        help_text=(
            "Customers' installers can then create and rotate pull credentials by API, "
            "with the license alone."
        ),
    )


@team_page(Permission.TEAM_MANAGE)
def team_settings(request: TeamRequest) -> HttpResponse:
    """Change the team's name, time zone, and what members and customers may do."""

    def save(team: Team, changes: dict[str, Any]) -> object:
        return change_team(actor=request.actor, team=team, changes=changes)

    form, is_saved = edit(request, TeamForm, request.team, values=_values, save=save)
    if not has_second_factor(request.user):
        form.fields["require_second_factor"].help_text = _OWN_FACTOR_FIRST
    if is_saved:
        messages.success(request, "The settings are saved.")
        return redirect("team-settings", team=request.team.slug)
    return render_page(request, "teams/settings.html", {"form": form})


def _values(team: Team) -> dict[str, Any]:
    return {
        "name": team.name,
        "time_zone": team.time_zone,
        "require_second_factor": team.require_second_factor,
        "customers_make_credentials": team.customers_make_credentials,
    }
