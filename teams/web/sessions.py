"""The sessions of a signed-in user."""

from __future__ import annotations

from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from portal.http.pages import render_page
from portal.http.user_agents import browser_name


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def end_session(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign out another of the user's sessions, after asking.

    The current session ends by signing out, so it is 404 here.
    """
    others = UserSession.objects.filter(user=request.user).exclude(
        session_key=request.session.session_key
    )
    session = get_object_or_404(others, pk=session_id)
    if request.method == "POST":
        get_adapter().end_sessions([session])
        messages.success(request, f"{browser_name(session.user_agent)} is signed out.")
        return redirect("usersessions_list")
    return render_page(
        request, "usersessions/usersession_end.html", {"session": session}
    )
