"""Who gets a smaller role does not keep a larger one in a token."""

from __future__ import annotations

import pytest

from teams.models import ApiToken, Membership, Team
from tests.integration.teams.test_removed_makers import (
    LIST,
    browser_of,
    make_in_browser,
    submit,
    works,
)
from tests.support.clients.api import ApiClient
from tests.support.pages.reading import text_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApiTokenFactory,
    MembershipFactory,
    ServiceAccountFactory,
)


@pytest.fixture
def admin(team: Team) -> Membership:
    return MembershipFactory(team=team, user__email="admin@acme.example", role="admin")


def test_a_demoted_admin_does_not_promote_themselves_with_a_team_token(
    owner: Membership, admin: Membership
) -> None:
    team_token = make_in_browser(admin, "CI", "team:admin")
    account = ServiceAccountFactory(team=admin.team, role="admin", name="robot")
    robot = make_in_browser(admin, "robot's", f"service_account:{account.pk}")

    submit(browser_of(owner), f"{LIST}/{admin.pk}/role", role="sales")

    for api in (team_token, robot):
        promoted = api.patch(f"/members/{admin.pk}", {"role": "admin"})
        assert promoted.status_code == 401
    admin.refresh_from_db()
    assert admin.role == "sales"
    revoked = [
        label for tag, label in audited(owner.team) if tag == "api-token:revoked"
    ]
    assert sorted(revoked) == ["CI", "robot's"]


def test_the_page_lists_them_with_revoking_preselected(
    owner: Membership, admin: Membership
) -> None:
    make_in_browser(admin, "CI", "team:admin")
    make_in_browser(owner, "Theirs", "team:admin")

    page = browser_of(owner).get(f"{LIST}/{admin.pk}/role")

    made = ApiToken.objects.get(name="CI")
    assert page.context["form"]["revoke"].value() == [str(made.pk)]
    text = text_of(page)
    assert "Revoke these API tokens that they created, if the new role" in text
    assert "CI (team, admin), never used" in text
    assert "Theirs" not in text


def test_tokens_that_the_new_role_could_create_stay(
    owner: Membership, admin: Membership
) -> None:
    smaller = make_in_browser(admin, "Smaller", "team:sales")
    larger = make_in_browser(admin, "Larger", "team:support")

    submit(browser_of(owner), f"{LIST}/{admin.pk}/role", role="sales")

    assert works(smaller)
    assert not works(larger)


def test_a_token_that_is_deselected_keeps_working(
    owner: Membership, admin: Membership
) -> None:
    kept = make_in_browser(admin, "Kept", "team:admin")

    submit(browser_of(owner), f"{LIST}/{admin.pk}/role", role="sales", revoke=[])

    assert works(kept)
    admin.refresh_from_db()
    assert admin.role == "sales"


def test_a_token_made_after_the_page_was_shown_stops_too(
    owner: Membership, admin: Membership
) -> None:
    browser, address = browser_of(owner), f"{LIST}/{admin.pk}/role"
    form = browser.get(address).context["form"]
    shown = {field.name: field.value() for field in form}
    late = make_in_browser(admin, "Late", "team:admin")

    browser.post(address, {**shown, "role": "sales"})

    assert not works(late)


def test_the_api_revokes_them_unless_named(
    owner_api: ApiClient, admin: Membership
) -> None:
    kept = make_in_browser(admin, "Kept", "team:admin")
    stopped = make_in_browser(admin, "Stopped", "team:admin")
    named = [str(ApiToken.objects.get(name="Kept").pk)]

    response = owner_api.patch(
        f"/members/{admin.pk}", {"role": "sales", "keep_api_tokens": named}
    )

    assert response.status_code == 200
    assert works(kept)
    assert not works(stopped)


def test_the_api_refuses_what_it_cannot_keep(
    owner_api: ApiClient, admin: Membership
) -> None:
    theirs = ApiTokenFactory(team=admin.team)
    body = {"role": "sales", "keep_api_tokens": [str(theirs.pk)]}

    response = owner_api.patch(f"/members/{admin.pk}", body)

    assert response.status_code == 400
    admin.refresh_from_db()
    assert admin.role == "admin"


def test_a_demoted_admin_cannot_keep_their_own(admin: Membership) -> None:
    kept = make_in_browser(admin, "Kept", "team:admin")
    named = [str(ApiToken.objects.get(name="Kept").pk)]
    body = {"role": "sales", "keep_api_tokens": named}

    response = kept.patch(f"/members/{admin.pk}", body)

    assert response.status_code == 200
    assert not works(kept)


def test_a_promotion_stops_nothing(owner: Membership, admin: Membership) -> None:
    team_token = make_in_browser(admin, "CI", "team:admin")

    submit(browser_of(owner), f"{LIST}/{admin.pk}/role", role="owner")

    assert works(team_token)
