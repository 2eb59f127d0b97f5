from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from teams.models import Membership, Team
from tests.support.clients import code_of
from tests.support.factories import MembershipFactory

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


def test_audit_event_tells_from_where(browser: Client, settings: Any) -> None:
    response = post(browser, csrf(browser) | {"X-Forwarded-For": "203.0.113.9"})

    event = AuditEvent.objects.filter(tag="application:created").get()
    assert event.actor_label == "owner@acme.example"
    assert event.address == "127.0.0.1"
    assert event.request_id == response.headers["X-Request-Id"]


def test_answers_are_not_for_caches(browser: Client) -> None:
    assert browser.get("/api/v1/team").headers["Cache-Control"] == "no-store"
