from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from teams.models import ApiToken, Membership, ServiceAccount, Team
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import message_of, seen, signed_in, submission
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApiTokenFactory,
    MembershipFactory,
    ServiceAccountFactory,
)
from tests.support.rows.world import rows_of

LIST = "/t/acme/service-accounts"
ADD = f"{LIST}/new"


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


@pytest.fixture
def account(team: Team) -> ServiceAccount:
    return ServiceAccountFactory(team=team, name="ci")


def token_of(account: ServiceAccount, **fields: object) -> ApiToken:
    return ApiTokenFactory(
        team=account.team, kind="service_account", service_account=account, **fields
    )


def test_list_leads_to_the_first_account(browser: Client) -> None:
    page = browser.get(LIST)

    assert "No service accounts yet" in text_of(page)
    assert ADD in page.content.decode()


def test_list_counts_usable_tokens(browser: Client, account: ServiceAccount) -> None:
    now = timezone.now()
    token_of(account)
    token_of(account, expires_at=now + timedelta(days=1))
    token_of(account, expires_at=now - timedelta(days=1))
    token_of(account, revoked_at=now, last_used_at=now - timedelta(hours=2))
    ServiceAccountFactory(team=account.team, name="idle", role="sales")
    ServiceAccountFactory(name="theirs")

    page = text_of(browser.get(LIST))

    assert "ci developer 2 2 h ago now" in page
    assert "idle sales 0 never now" in page
    assert "theirs" not in page


@pytest.mark.parametrize("number", [1, 30])
def test_list_takes_as_many_queries_for_30_as_for_1(
    number: int,
    browser: Client,
    team: Team,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(number):
        token_of(ServiceAccountFactory(team=team))
    browser.get(LIST)

    with django_assert_num_queries(6):
        browser.get(LIST)


def test_add(browser: Client, team: Team) -> None:
    form = {"name": "ci", "role": "developer", **submission()}

    first = browser.post(ADD, form)
    second = browser.post(ADD, form)

    assert first.headers["Location"] == second.headers["Location"] == LIST
    account = ServiceAccount.objects.get()
    assert (account.name, account.role, account.team) == ("ci", "developer", team)
    assert audited(team) == [("service-account:created", "ci")]
    assert "ci is added." in text_of(browser.get(LIST))


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"name": "ci"}, "name", "A service account with this name exists."),
        ({"name": "a\x01b"}, "name", "Control characters are not allowed."),
        ({"role": ""}, "role", "Choose a role."),
        (
            {"role": "emperor"},
            "role",
            "Choose one of these roles. You cannot grant others.",
        ),
    ],
)
def test_add_reports_what_is_wrong_beside_the_field(
    values: dict[str, str],
    field: str,
    message: str,
    browser: Client,
    account: ServiceAccount,
) -> None:
    form = {"name": "other", "role": "developer", **submission()}
    before = rows_of(account.team)

    response = browser.post(ADD, form | values)

    assert message_of(response, field) == message
    assert rows_of(account.team) == before


def test_edit(browser: Client, account: ServiceAccount, team: Team) -> None:
    address = f"{LIST}/{account.pk}/edit"
    form = {"name": "build", "role": "read-only", **seen(browser, address)}

    response = browser.post(address, form)

    assert response.headers["Location"] == LIST
    account.refresh_from_db()
    assert (account.name, account.role) == ("build", "read-only")
    assert audited(team) == [("service-account:changed", "build")]


def test_edit_reports_a_taken_name(
    browser: Client, account: ServiceAccount, team: Team
) -> None:
    ServiceAccountFactory(team=team, name="taken")
    address = f"{LIST}/{account.pk}/edit"
    form = {"name": "taken", "role": "developer", **seen(browser, address)}

    response = browser.post(address, form)

    assert message_of(response, "name") == "A service account with this name exists."
    account.refresh_from_db()
    assert account.name == "ci"


def test_edit_reports_a_concurrent_change(
    browser: Client, account: ServiceAccount, team: Team
) -> None:
    address = f"{LIST}/{account.pk}/edit"
    shown = seen(browser, address)
    account.role = "sales"
    account.save()

    response = browser.post(address, {"name": "build", "role": "developer", **shown})

    assert "Somebody else has changed this." in text_of(response)
    account.refresh_from_db()
    assert (account.name, account.role) == ("ci", "sales")
    assert audited(team) == []


def test_delete_says_what_stops_and_stops_it(
    browser: Client, account: ServiceAccount, team: Team
) -> None:
    token_of(account, last_used_at=timezone.now() - timedelta(days=2))
    address = f"{LIST}/{account.pk}/delete"
    shown = text_of(browser.get(address))
    assert "Its 1 usable API token and all tokens created with it stop" in shown
    assert "Last used 2 days ago" in shown

    response = browser.post(address)

    assert response.headers["Location"] == LIST
    assert not ServiceAccount.objects.exists()
    assert not ApiToken.objects.exists()
    assert [tag for tag, _ in audited(team)] == [
        "api-token:revoked",
        "service-account:deleted",
    ]


def test_list_leads_to_a_token_for_the_account(
    browser: Client, account: ServiceAccount
) -> None:
    address = f"/t/acme/api-tokens/new?acts_as=service_account:{account.pk}"
    assert f'href="{address}"' in browser.get(LIST).content.decode()

    form = browser.get(address).content.decode()

    assert f'value="service_account:{account.pk}" selected' in form


def test_admin_touches_no_account_with_the_role_of_an_owner(
    owner: Membership, team: Team
) -> None:
    account = ServiceAccountFactory(team=team, role="owner")
    client = signed_in(MembershipFactory(team=team, role="admin"))
    assert str(account.pk) not in client.get(LIST).content.decode()
    before = rows_of(team)

    for action in ("edit", "delete"):
        address = f"{LIST}/{account.pk}/{action}"
        assert client.get(address).status_code == 403
        assert client.post(address, {"name": "x", "role": "sales"}).status_code == 403
    response = client.post(ADD, {"name": "x", "role": "owner", **submission()})
    assert message_of(response, "role").startswith("Choose one of these roles")
    assert rows_of(team) == before


@pytest.mark.parametrize("role", ["developer", "support", "sales", "read-only"])
def test_who_manages_no_accounts_sees_them_and_changes_nothing(
    role: str, team: Team, account: ServiceAccount
) -> None:
    client = signed_in(MembershipFactory(team=team, role=role))
    shown = client.get(LIST)
    assert "ci" in text_of(shown)
    assert str(account.pk) not in shown.content.decode()
    before = rows_of(team)

    for address in (ADD, f"{LIST}/{account.pk}/edit", f"{LIST}/{account.pk}/delete"):
        assert client.get(address).status_code == 403
        form = {"name": "x", "role": "read-only", **submission()}
        assert client.post(address, form).status_code == 403
    assert rows_of(team) == before


def test_outsider_finds_nothing(
    outsider: Membership, account: ServiceAccount, team: Team
) -> None:
    client = signed_in(outsider)
    before = rows_of(team)

    for address in (
        LIST,
        ADD,
        f"/t/rival/service-accounts/{account.pk}/edit",
        f"/t/rival/service-accounts/{account.pk}/delete",
    ):
        assert client.get(address).status_code == 404
        assert client.post(address, submission()).status_code in {404, 405}
    assert rows_of(team) == before
