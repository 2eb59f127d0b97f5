from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from audit.models import AuditEvent
from teams.models import Membership, Team
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.factories import (
    MembershipFactory,
    ServiceAccountFactory,
    api_token_text,
)

BODY = {"name": "My App", "slug": "my-app"}


@pytest.fixture
def browser(owner: Membership) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner.user)
    return client


def csrf(browser: Client) -> dict[str, str]:
    token = "a" * 32
    browser.cookies["csrftoken"] = token
    return {"X-CSRFToken": token}


def post(browser: Client, headers: dict[str, str]) -> Any:
    return browser.post(
        "/api/v1/applications", BODY, content_type="application/json", headers=headers
    )


def test_session_of_a_member_of_one_team(browser: Client) -> None:
    response = browser.get("/api/v1/team")

    assert response.status_code == 200
    assert response.json()["slug"] == "acme"


def test_session_needs_a_csrf_token_for_writes(browser: Client) -> None:
    response = post(browser, {})

    assert response.status_code == 403
    assert code_of(response) == "permission_denied"
    assert "CSRF" in response.json()["detail"]


def test_session_with_a_csrf_token_writes(browser: Client) -> None:
    assert post(browser, csrf(browser)).status_code == 201


@pytest.mark.parametrize("slug", ["rival", "nope", "", "a\x00b", "é", "A" * 5000])
def test_session_in_a_team_of_others_is_refused(
    slug: str, browser: Client, other_team: Team
) -> None:
    response = browser.get("/api/v1/team", headers={"Berth-Team": slug})

    assert response.status_code == 403
    assert code_of(response) == "no_team"
    assert "Berth-Team" in response.json()["detail"]


def test_session_of_a_member_of_two_teams_names_one(
    owner: Membership, other_team: Team, browser: Client
) -> None:
    MembershipFactory(user=owner.user, team=other_team, role="read-only")

    unnamed = browser.get("/api/v1/team")
    named = browser.get("/api/v1/team", headers={"Berth-Team": "rival"})

    assert unnamed.status_code == 403
    assert code_of(unnamed) == "no_team"
    assert (named.json()["slug"], named.json()["role"]) == ("rival", "read-only")


def test_wrong_api_token_is_not_forgiven_for_a_session(browser: Client) -> None:
    response = browser.get("/api/v1/team", headers={"Authorization": "Bearer berth_x"})

    assert response.status_code == 401


def test_audit_event_has_the_address(browser: Client, settings: Any) -> None:
    response = post(browser, csrf(browser) | {"X-Forwarded-For": "203.0.113.9"})

    event = AuditEvent.objects.filter(tag="application:created").get()
    assert event.actor_label == "owner@acme.example"
    assert event.address == "127.0.0.1"
    assert event.request_id == response.headers["X-Request-Id"]


def test_answers_are_not_for_caches(browser: Client) -> None:
    assert browser.get("/api/v1/team").headers["Cache-Control"] == "no-store"


def require_second_factor(team: Team) -> None:
    team.require_second_factor = True
    team.save()


def test_user_token_stops_while_its_owner_lacks_the_second_factor_required(
    owner: Membership, team: Team
) -> None:
    text = api_token_text(team=team, kind="user", user=owner.user)
    api = ApiClient(team, text)
    require_second_factor(team)

    reading = api.get("/team")
    switching_off = api.patch("/team", {"require_second_factor": False})

    for response in (reading, switching_off):
        assert response.status_code == 401
        assert code_of(response) == "api_token_unknown"
        assert "second factor" in response.json()["detail"]
    team.refresh_from_db()
    assert team.require_second_factor
    TOTP.activate(owner.user, generate_totp_secret())
    assert api.get("/team").status_code == 200


def test_tokens_of_service_accounts_and_teams_go_on_without_a_second_factor(
    team: Team,
) -> None:
    require_second_factor(team)
    account = ServiceAccountFactory(team=team)
    texts = [
        api_token_text(team=team),
        api_token_text(team=team, kind="service_account", service_account=account),
    ]

    for text in texts:
        assert ApiClient(team, text).get("/team").status_code == 200


@pytest.mark.parametrize(("required", "queries"), [(False, 3), (True, 4)])
def test_a_required_second_factor_costs_user_tokens_one_query(
    required: bool,
    queries: int,
    owner: Membership,
    team: Team,
    django_assert_num_queries: Any,
) -> None:
    text = api_token_text(team=team, kind="user", user=owner.user)
    TOTP.activate(owner.user, generate_totp_secret())
    if required:
        require_second_factor(team)
    api = ApiClient(team, text)

    with django_assert_num_queries(queries):
        assert api.get("/team").status_code == 200
