"""What the pages of every room share: who asks, in which team, and what they may."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from zoneinfo import ZoneInfo

from django.contrib.auth.views import redirect_to_login
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRefresh
from django_htmx.middleware import HtmxDetails

from portal.errors import NotAllowed, PortalError
from portal.http.pages import GoTo, go_to, is_partial, render_page
from teams.actors import Actor, Origin, member_actor
from teams.models import Membership, Team, User
from teams.permissions import Permission
from teams.selectors import (
    lacks_second_factor,
    membership_in_team,
    memberships_of_user,
)

P = ParamSpec("P")


class TeamRequest(HttpRequest):
    """A request of a member to a page of their team."""

    user: User
    team: Team
    actor: Actor
    htmx: HtmxDetails


TeamView = Callable[Concatenate[TeamRequest, P], HttpResponseBase]
Page = Callable[Concatenate[HttpRequest, str, P], HttpResponseBase]


def team_page(permission: Permission) -> Callable[[TeamView[P]], Page[P]]:
    """Let members of the team in the address see a page, if their role may.

    Strangers sign in first; the team of others is 404; a member without the
    permission is told so with 403. Times are shown in the team's zone. What a service
    refuses and the view does not tell itself becomes a page.
    """

    def decorate(view: TeamView[P]) -> Page[P]:
        @wraps(view)
        def page(
            request: HttpRequest, team: str, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponseBase:
            if not isinstance(request.user, User):
                return _sign_in(request)
            membership = membership_in_team(request.user, team)
            if membership is None:
                raise Http404
            if lacks_second_factor(membership):
                return redirect("second-factor-needed", team=team)
            entered = _enter(request, membership)
            with timezone.override(ZoneInfo(membership.team.time_zone)):
                try:
                    entered.actor.require(permission, team_id=entered.team.pk)
                    return view(entered, *args, **kwargs)
                except GoTo as elsewhere:
                    return go_to(entered, elsewhere.address)
                except PortalError as error:
                    return refused(entered, error)

        marked = cast("Any", page)
        marked.permission = permission  # for the test that walks all pages
        return cast("Page[P]", marked)

    return decorate


def refused(request: HttpRequest, error: PortalError) -> HttpResponse:
    """Show what was refused, and what to do about it."""
    status = 403 if isinstance(error, NotAllowed) else 409
    return render_page(
        request,
        "portal/refused.html",
        {"error": error, "status": status},
        partial="portal/refused_partial.html",
        status=status,
    )


def find(rows: QuerySet[Any], pk: uuid.UUID) -> Any:
    """Return the row with this ID; raises Http404 if these rows do not have it."""
    row: Model | None = rows.filter(pk=pk).first()
    if row is None:
        raise Http404
    return row


def team_url(request: TeamRequest, name: str, **names: object) -> str:
    """Return the address of a page of the team."""
    return reverse(name, kwargs={"team": request.team.slug, **names})


def _sign_in(request: HttpRequest) -> HttpResponse:
    if is_partial(request):
        # The page around it is of a session that has ended: show it anew.
        return HttpResponseClientRefresh()
    return redirect_to_login(request.get_full_path())


def _enter(request: HttpRequest, membership: Membership) -> TeamRequest:
    entered: Any = request
    entered.team = membership.team
    entered.actor = member_actor(membership).at_origin(Origin.of(request))
    # A session that is changed is written, so only a change of team changes it.
    if entered.session.get("team") != membership.team.slug:
        entered.session["team"] = membership.team.slug
    found: TeamRequest = entered
    return found


def team_context(request: HttpRequest) -> dict[str, Any]:
    """Give templates of a team's pages the team, the actor and what they may."""
    team = getattr(request, "team", None)
    if team is None:
        return {}
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set with the team
    return {
        "team": team,
        "actor": actor,
        "may": {each.name.lower(): actor.may(each) for each in Permission},
        "other_teams": lambda: [
            each.team
            for each in memberships_of_user(request.user)  # type: ignore[arg-type]  # a member
            if each.team_id != team.pk
        ],
    }
