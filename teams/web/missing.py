"""The page of an address that leads nowhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from portal.http import error_pages
from teams.models import User
from teams.selectors import membership_in_team
from teams.sign_in.second_factor import session_lacks_second_factor
from teams.web.base import enter


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404; members see it in the frame of the team they were in last."""
    user = getattr(request, "user", None)
    is_within = hasattr(request, "team") or hasattr(request, "look")
    if not is_within and isinstance(user, User):
        _enter_last_team(request, user)
    return error_pages.not_found(request, exception)


def _enter_last_team(request: HttpRequest, user: User) -> None:
    membership = membership_in_team(user, request.session.get("team"))
    if membership and not session_lacks_second_factor(request, membership):
        enter(request, membership)
