from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from teams.models import ApiToken, IdempotencyRecord, Membership, Team
from tests.support.clients.api import ApiClient
from tests.support.pages.reading import text_of, undated
from tests.support.pages.team_pages import message_of, signed_in, submission
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApiTokenFactory,
    MembershipFactory,
    ServiceAccountFactory,
)
from tests.support.rows.world import rows_of

LIST = "/t/acme/api-tokens"
ADD = f"{LIST}/new"
TOKEN = re.compile(r"berth_(?:user|sa|team)_\w{12}_\w{43}")


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


def form_of(**values: str) -> dict[str, str]:
    return {"name": "Laptop", "acts_as": "user", **values, **submission()}


def token_on(response: Any) -> str:
    tokens = set(TOKEN.findall(response.content.decode()))
    assert len(tokens) == 1
    return str(tokens.pop())


def test_list_leads_to_the_first_token(browser: Client) -> None:
    page = browser.get(LIST)

    assert "No API tokens yet" in text_of(page)
    assert ADD in page.content.decode()


def test_list_shows_holder_and_state(
    browser: Client, owner: Membership, team: Team
) -> None:
    now = timezone.now()
    ApiTokenFactory(team=team, kind="user", user=owner.user, name="Mine")
    ApiTokenFactory(
        team=team,
        kind="service_account",
        service_account=ServiceAccountFactory(team=team, name="ci"),
        name="Build",
        read_only=True,
        expires_at=now + timedelta(days=9, minutes=1),
        last_used_at=now - timedelta(hours=3),
    )
    ApiTokenFactory(team=team, role="support", name="Gone", revoked_at=now)
    ApiTokenFactory(
        team=team, role="sales", name="Old", expires_at=now - timedelta(days=2)
    )
    ApiTokenFactory(name="Theirs")

    page = undated(text_of(browser.get(LIST)))

    assert "Mine owner@acme.example user now never never active Revoke Mine" in page
    assert (
        "Build read-only ci service account now in 9 d 3 h ago active Revoke Build"
    ) in page
    assert "Gone support team now never never revoked" in page
    assert "Revoke Gone" not in page
    assert "Old sales team now 2 d ago never expired" in page
    assert "Theirs" not in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"Used", "Gone", "Robot"}),
        ("state=active", {"Used", "Robot"}),
        ("state=stopped", {"Gone"}),
        ("kind=user", {"Used"}),
        ("kind=service_account&state=active", {"Robot"}),
        ("kind=service_account&state=stopped", set()),
    ],
)
def test_list_is_filtered(
    query: str, names: set[str], browser: Client, owner: Membership, team: Team
) -> None:
    ApiTokenFactory(team=team, kind="user", user=owner.user, name="Used")
    ApiTokenFactory(team=team, name="Gone", revoked_at=timezone.now())
    account = ServiceAccountFactory(team=team, name="ci")
    ApiTokenFactory(
        team=team, kind="service_account", service_account=account, name="Robot"
    )

    page = text_of(browser.get(f"{LIST}?{query}"))

    assert {name for name in ("Used", "Gone", "Robot") if name in page} == names
    assert ("No matching API tokens" in page) is (not names)


@pytest.mark.parametrize("number", [1, 30])
def test_list_takes_as_many_queries_for_30_as_for_1(
    number: int,
    browser: Client,
    team: Team,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(number):
        account = ServiceAccountFactory(team=team)
        ApiTokenFactory(team=team, kind="service_account", service_account=account)
    browser.get(LIST)

    with django_assert_num_queries(7):
        browser.get(LIST)


def test_created_token_is_shown_once_and_works(
    browser: Client, team: Team, settings: Any
) -> None:
    settings.BERTH_PROXY_HOST = "proxy.acme.example"
    settings.BERTH_REGISTRY_HOST = "registry.acme.example"

    response = browser.post(ADD, form_of())

    text = token_on(response)
    assert ApiClient(team, text).get("/team").json()["role"] == "owner"
    page = text_of(response)
    for host in ("proxy.acme.example", "registry.acme.example"):
        assert f"docker login {host} --username owner@acme.example" in page
    assert "http://testserver/api/v1/team" in page
    assert response.headers["Cache-Control"] == "no-store"
    assert TOKEN.findall(browser.get(LIST).content.decode()) == []
    token = ApiToken.objects.get()
    assert token.expires_at is None
    assert token.created_with is None
    assert audited(team) == [("api-token:created", "Laptop")]


def test_form_sent_twice_makes_one_token_and_leads_to_the_list(browser: Client) -> None:
    form = form_of()

    first = browser.post(ADD, form)
    second = browser.post(ADD, form, follow=True)

    assert second.redirect_chain == [(LIST, 302)]
    assert TOKEN.findall(second.content.decode()) == []
    assert "has already been created and was shown once" in text_of(second)
    assert ApiToken.objects.count() == 1
    assert token_on(first) not in IdempotencyRecord.objects.get().body.reveal()


def test_token_of_a_service_account(browser: Client, team: Team) -> None:
    account = ServiceAccountFactory(team=team, name="ci", role="developer")

    response = browser.post(
        ADD, form_of(acts_as=f"service_account:{account.pk}", read_only="on")
    )

    assert token_on(response).startswith("berth_sa_")
    token = ApiToken.objects.get()
    assert (token.service_account, token.read_only, token.user) == (account, True, None)
    assert "docker login testserver --username token" in text_of(response)


def test_token_of_the_team(browser: Client) -> None:
    response = browser.post(ADD, form_of(acts_as="team:support"))

    assert token_on(response).startswith("berth_team_")
    assert ApiToken.objects.get().role == "support"
    # Support pulls nothing: no line that would not work.
    assert "docker login" not in text_of(response)


def test_expiry_is_in_the_zone_of_the_team(browser: Client, team: Team) -> None:
    team.time_zone = "America/New_York"
    team.save()
    assert "In the time zone America/New_York." in text_of(browser.get(ADD))

    browser.post(ADD, form_of(expires_at="2090-07-01T12:00"))

    assert ApiToken.objects.get().expires_at == datetime(2090, 7, 1, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"name": "a\x01b"}, "name", "Control characters are not allowed."),
        ({"acts_as": ""}, "acts_as", "This field is required."),
        ({"acts_as": "team"}, "acts_as", "Choose one of the options."),
        ({"acts_as": "team:emperor"}, "acts_as", "Choose one of the options."),
        ({"acts_as": "service_account:x"}, "acts_as", "Choose one of the options."),
        (
            {"expires_at": "2020-01-01T10:00"},
            "expires_at",
            "Choose an instant in the future.",
        ),
        (
            {"expires_at": "tomorrow"},
            "expires_at",
            "Enter a date and time, or leave this empty.",
        ),
        (
            {"expires_at": "9999-12-31T23:59"},
            "expires_at",
            "Enter a year between 2000 and 9998.",
        ),
    ],
)
def test_add_reports_what_is_wrong_beside_the_field(
    values: dict[str, str], field: str, message: str, browser: Client, team: Team
) -> None:
    before = rows_of(team)

    response = browser.post(ADD, form_of(**values))

    assert message_of(response, field) == message
    assert TOKEN.findall(response.content.decode()) == []
    assert rows_of(team) == before


def test_admin_makes_no_token_of_an_owner(owner: Membership, team: Team) -> None:
    account = ServiceAccountFactory(team=team, role="owner", name="boss")
    client = signed_in(MembershipFactory(team=team, role="admin"))
    assert "boss" not in text_of(client.get(ADD))

    for chosen in ("team:owner", f"service_account:{account.pk}"):
        response = client.post(ADD, form_of(acts_as=chosen))
        assert message_of(response, "acts_as") == "Choose one of the options."
    assert not ApiToken.objects.exists()


def test_account_of_another_team_is_no_choice(browser: Client) -> None:
    account = ServiceAccountFactory(name="theirs")
    assert "theirs" not in text_of(browser.get(ADD))

    response = browser.post(ADD, form_of(acts_as=f"service_account:{account.pk}"))

    assert message_of(response, "acts_as") == "Choose one of the options."
    assert not ApiToken.objects.exists()


def test_developer_makes_and_sees_own_tokens_only(
    member: Membership, team: Team
) -> None:
    other = ApiTokenFactory(team=team, name="Other")
    client = signed_in(member)
    assert "Acts as" not in text_of(client.get(ADD))

    client.post(ADD, form_of(acts_as="team:owner"))

    token = ApiToken.objects.exclude(pk=other.pk).get()
    assert (token.kind, token.user) == ("user", member.user)
    page = text_of(client.get(LIST))
    assert "Laptop" in page
    assert "Other" not in page
    for method in (client.get, client.post):
        assert method(f"{LIST}/{other.pk}/revoke").status_code == 404
    other.refresh_from_db()
    assert other.revoked_at is None


def test_revoke_says_what_stops_and_stops_it(
    browser: Client, owner: Membership, team: Team
) -> None:
    token = ApiTokenFactory(team=team, name="Parent")
    child = ApiTokenFactory(team=team, name="Child", created_with=token)
    grandchild = ApiTokenFactory(team=team, name="Grandchild", created_with=child)
    other = ApiTokenFactory(team=team, name="Other")
    address = f"{LIST}/{token.pk}/revoke"
    shown = text_of(browser.get(address))
    assert "2 tokens created with it also stop: Child Grandchild" in shown
    assert "It was never used." in shown

    response = browser.post(address)
    again = browser.post(address)

    assert response.headers["Location"] == again.headers["Location"] == LIST
    for row in (token, child, grandchild, other):
        row.refresh_from_db()
        assert (row.revoked_at is None) is (row == other)
    assert audited(team) == [
        ("api-token:revoked", "Parent"),
        ("api-token:revoked", "Child"),
        ("api-token:revoked", "Grandchild"),
    ]


def test_viewer_makes_none_but_revokes_one_from_before(
    viewer: Membership, team: Team
) -> None:
    token = ApiTokenFactory(team=team, kind="user", user=viewer.user, name="Before")
    client = signed_in(viewer)
    assert "Before" in text_of(client.get(LIST))
    assert ADD not in client.get(LIST).content.decode()
    assert client.get(ADD).status_code == 403
    assert client.post(ADD, form_of()).status_code == 403
    assert ApiToken.objects.count() == 1

    assert client.post(f"{LIST}/{token.pk}/revoke").status_code == 302

    token.refresh_from_db()
    assert token.revoked_at is not None


def test_outsider_finds_nothing(outsider: Membership, team: Team) -> None:
    token = ApiTokenFactory(team=team)
    client = signed_in(outsider)
    before = rows_of(team)

    for address in (LIST, ADD, f"/t/rival/api-tokens/{token.pk}/revoke"):
        assert client.get(address).status_code == 404
        assert client.post(address, form_of()).status_code in {404, 405}
    assert rows_of(team) == before


@pytest.mark.parametrize(("name", "label"), [("state", "Show"), ("kind", "Kind")])
def test_a_filter_that_is_not_understood_shows_none(
    name: str, label: str, browser: Client, team: Team
) -> None:
    ApiTokenFactory(team=team, name="Robot")

    page = text_of(browser.get(f"{LIST}?{name}=bogus"))

    assert f"{label}: Select a valid choice. bogus is not one of" in page
    assert "Robot" not in page
