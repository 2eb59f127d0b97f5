"""Pages outside a team: the start page, set-up, invitations and the theme."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from portal.crypto.secrets import Secret
from portal.errors import Conflict, PortalError
from portal.http.forms import refusals_in
from portal.http.pages import (
    THEME_COOKIE,
    THEMES,
    is_local_url,
    refused,
    render_page,
)
from teams.actors import Origin
from teams.invitations import accept_invitation, accept_with_new_account, is_mailed
from teams.models import Invitation, User
from teams.second_factor import has_second_factor
from teams.selectors import (
    any_user_exists,
    has_account,
    invitation_by_secret,
    membership_in_team,
    memberships_of_user,
)
from teams.services import set_up
from teams.sign_in.accounts import sign_in
from teams.sign_in.second_factor import session_lacks_second_factor
from teams.web.forms import NewAccountForm, SetUpForm

YEAR_SECONDS = 365 * 24 * 3600


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Go to the last or first team, or to sign-in or set-up."""
    if not isinstance(request.user, User):
        return redirect("account_login" if any_user_exists() else "set-up")
    memberships = list(memberships_of_user(request.user))
    last = request.session.get("team")
    slugs = [membership.team.slug for membership in memberships]
    if not slugs:
        # Most of them are a customer's contacts.
        return redirect("contact-home")
    return redirect("dashboard", team=last if last in slugs else slugs[0])


@sensitive_post_parameters("password")
def set_up_page(request: HttpRequest) -> HttpResponse:
    """Create the owner and the team of a new installation."""
    if any_user_exists():
        return redirect("home")
    form = SetUpForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form, {"name": "team_name", "slug": "team_slug"}):
            user = set_up(
                team_name=form.cleaned_data["team_name"],
                team_slug=form.cleaned_data["team_slug"],
                email=form.cleaned_data["email"],
                password=Secret(form.cleaned_data["password"]),
                origin=Origin.of(request),
            )
            return sign_in(request, user, next_url=reverse("home"))
    return render_page(request, "teams/set_up.html", {"form": form})


@sensitive_post_parameters("password")
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Join a team with an existing or a new account."""
    invitation = invitation_by_secret(Secret(secret))
    if invitation is None or not invitation.is_open():
        return _no_longer_valid(request, invitation)
    if isinstance(request.user, User):
        return _join(request, invitation, request.user)
    if has_account(invitation.email):
        return render_page(
            request, "teams/invitation_sign_in.html", {"invitation": invitation}
        )
    form = NewAccountForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form):
            user = accept_with_new_account(
                invitation=invitation,
                name=form.cleaned_data["name"],
                password=Secret(form.cleaned_data["password"]),
                is_mailed=is_mailed(Secret(secret), request.GET.get("mailed", "")),
                origin=Origin.of(request),
            )
            next_url = reverse("dashboard", kwargs={"team": invitation.team.slug})
            return sign_in(request, user, next_url=next_url)
    return render_page(
        request, "teams/invitation.html", {"invitation": invitation, "form": form}
    )


def _join(request: HttpRequest, invitation: Invitation, user: User) -> HttpResponse:
    if request.method == "POST":
        try:
            accept_invitation(
                invitation=invitation, user=user, origin=Origin.of(request)
            )
        except Conflict as error:
            # Of two simultaneous clicks one joins, and both lead to the team.
            if membership_in_team(user, invitation.team.slug) is None:
                return refused(request, error)
        except PortalError as error:
            return refused(request, error)
        return redirect("dashboard", team=invitation.team.slug)
    context = {"invitation": invitation, "is_theirs": invitation.is_for(user)}
    return render_page(request, "teams/invitation_join.html", context)


def _no_longer_valid(
    request: HttpRequest, invitation: Invitation | None
) -> HttpResponse:
    if invitation is not None and isinstance(request.user, User):
        # A member who follows their link again wants to enter the team.
        membership = membership_in_team(request.user, invitation.team.slug)
        if membership is not None:
            return redirect("dashboard", team=invitation.team.slug)
    return render_page(request, "teams/invitation_invalid.html", status=404)


@require_safe
@login_required
def second_factor_needed(request: HttpRequest, team: str) -> HttpResponse:
    """Explain that the team requires a second factor, and how to pass it."""
    if not isinstance(request.user, User):
        raise Http404
    membership = membership_in_team(request.user, team)
    if membership is None:
        raise Http404
    if not session_lacks_second_factor(request, membership):
        return redirect("dashboard", team=team)
    context = {
        "needing": membership.team,
        "has_one": has_second_factor(request.user),
        "page": reverse("dashboard", kwargs={"team": team}),
    }
    return render_page(request, "teams/second_factor_needed.html", context)


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Remember light, dark or the system's choice in a cookie."""
    theme = request.POST.get("theme", "")
    next_url = request.POST.get("next", "/")
    response = redirect(next_url if is_local_url(next_url) else "/")
    if theme in THEMES:
        response.set_cookie(
            THEME_COOKIE,
            theme,
            max_age=YEAR_SECONDS,
            secure=request.is_secure(),
            httponly=False,  # the script that follows the system's choice reads it
            samesite="Lax",
        )
    return response
