"""What pages of all rooms share: the user, their team and their permissions."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from zoneinfo import ZoneInfo

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRefresh
from django_htmx.middleware import HtmxDetails

from portal.errors import PortalError
from portal.http.pages import GoTo, go_to, is_partial, refused
from teams.actors import Actor, Origin, member_actor
from teams.models import Membership, Team, User
from teams.permissions import Permission
from teams.selectors import membership_in_team, memberships_of_user
from teams.sign_in.second_factor import session_lacks_second_factor

P = ParamSpec("P")


class ActingRequest(HttpRequest):
    """A request of somebody who acts in a team, from inside it or as its customer."""

    user: User
    actor: Actor
    htmx: HtmxDetails


class TeamRequest(ActingRequest):
    """A member's request to a page of their team."""

    team: Team


TeamView = Callable[Concatenate[TeamRequest, P], HttpResponseBase]
Page = Callable[Concatenate[HttpRequest, str, P], HttpResponseBase]


def team_page(permission: Permission) -> Callable[[TeamView[P]], Page[P]]:
    """Show a page to members of the team in the address whose role has the permission.

    Anonymous users sign in first. Another team is 404, a missing permission 403. Times
    are shown in the team's zone. An error that the view does not handle becomes a page.
    """

    def decorate(view: TeamView[P]) -> Page[P]:
        @wraps(view)
        def page(
            request: HttpRequest, team: str, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponseBase:
            if not isinstance(request.user, User):
                return ask_to_sign_in(request)
            membership = membership_in_team(request.user, team)
            if membership is None:
                raise Http404
            if session_lacks_second_factor(request, membership):
                return redirect("second-factor-needed", team=team)
            entered = enter(request, membership)

            def show() -> HttpResponseBase:
                entered.actor.require(permission, team_id=entered.team.pk)
                return view(entered, *args, **kwargs)

            with timezone.override(ZoneInfo(membership.team.time_zone)):
                return answer_of(entered, show)

        marked = cast("Any", page)
        marked.permission = permission  # for the test that walks all pages
        return cast("Page[P]", marked)

    return decorate


def answer_of(
    request: ActingRequest, show: Callable[[], HttpResponseBase]
) -> HttpResponseBase:
    """Return what ``show`` returns, or the page that its error becomes.

    An object that somebody deletes during the request is 404.
    """
    try:
        return show()
    except GoTo as elsewhere:
        return go_to(request, elsewhere.address)
    except PortalError as error:
        return refused(request, error)
    except ObjectDoesNotExist:
        raise Http404 from None


def find(rows: QuerySet[Any], pk: uuid.UUID) -> Any:
    """Return the row with this ID, or raise Http404."""
    row: Model | None = rows.filter(pk=pk).first()
    if row is None:
        raise Http404
    return row


def team_url(request: TeamRequest, name: str, **names: object) -> str:
    """Return the address of a page of the team."""
    return reverse(name, kwargs={"team": request.team.slug, **names})


def ask_to_sign_in(request: HttpRequest, page: str = "account_login") -> HttpResponse:
    """Go to a page that signs in, and come back."""
    if is_partial(request):
        # The session of the surrounding page has ended: reload that page.
        return HttpResponseClientRefresh()
    return redirect_to_login(request.get_full_path(), reverse(page))


def enter(request: HttpRequest, membership: Membership) -> TeamRequest:
    """Let the request act in the team of a membership, which is remembered."""
    entered: Any = request
    entered.team = membership.team
    entered.actor = member_actor(membership).at_origin(Origin.of(request))
    # Setting a key saves the session, so set it only when the team changes.
    if entered.session.get("team") != membership.team.slug:
        entered.session["team"] = membership.team.slug
    team_request: TeamRequest = entered
    return team_request


def team_context(request: HttpRequest) -> dict[str, Any]:
    """Give templates of team pages the team, the actor and their permissions."""
    team = getattr(request, "team", None)
    if team is None:
        return {}
    actor: Actor = request.actor  # type: ignore[attr-defined]  # set with the team
    return {
        "page_template": "portal/page.html",
        "home_url": reverse("dashboard", kwargs={"team": team.slug}),
        "team": team,
        "actor": actor,
        "may": {
            permission.name.lower(): actor.may(permission) for permission in Permission
        },
        "other_teams": lambda: [
            membership.team
            for membership in memberships_of_user(request.user)  # type: ignore[arg-type]  # a member
            if membership.team_id != team.pk
        ],
    }
