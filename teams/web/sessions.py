"""The sessions of a signed-in user."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from portal.http.display.user_agents import browser_name
from portal.http.pages import render_page
from teams.models import Session, User, stored_key
from teams.sign_in.sessions import (
    SignedIn,
    end_other_sessions,
    end_sessions,
    list_sessions,
    other_session,
)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def sessions(request: HttpRequest) -> HttpResponse:
    """List where the user is signed in; a POST signs out everywhere else."""
    user = _user(request)
    if request.method == "POST":
        end_other_sessions(request, user)
        messages.success(request, "All other sessions are signed out.")
        return redirect("sessions")
    context = {
        "sessions": list_sessions(user),
        "current": stored_key(request.session.session_key or ""),
    }
    return render_page(request, "teams/sessions.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def end_session(request: HttpRequest, session_id: str) -> HttpResponse:
    """Sign out another of the user's sessions, after asking.

    The current session ends by signing out, so it is 404 here.
    """
    user = _user(request)
    row = other_session(request, user, session_id)
    if row is None:
        raise Http404
    session = SignedIn.of(row)
    if request.method == "POST":
        end_sessions(request, user, Session.objects.filter(pk=row.pk))
        messages.success(request, f"{browser_name(session.user_agent)} is signed out.")
        return redirect("sessions")
    return render_page(request, "teams/session_end.html", {"session": session})


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise Http404
    return request.user
