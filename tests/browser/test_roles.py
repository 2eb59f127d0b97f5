from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.support.browser.browsing import Browsing
from tests.support.browser.portal_pages import PAGES, Visitor
from tests.support.clients.pulling import pull
from tests.support.example.names import TEAM_NAME
from tests.support.stacks.portal_stack import Crew, ExampleTeam, PortalStack

USERNAME = "robot-7f3a91"
# The form of image names is posted for what people may paste, and changes nothing.
CHANGING_FORM = 'form[method=post]:not([action$="/image-names"])'
# Forms that only ask, and the way out of the team.
# The last one chooses one's own mails.
HARMLESS = {
    *("licenses", "why", "manifest", "alerts-mail", "alerts-mail-member"),
    *("customer-view:check", "licenses-identities-test"),
}


def post(page: Page, path: str, **values: str) -> int:
    """Send a form from within the page, with its CSRF token; return the status."""
    status: int = page.evaluate(
        """async ([path, values]) => {
          const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
          const answer = await fetch(path, {
            method: "POST",
            headers: {"X-CSRFToken": token},
            body: new URLSearchParams(values),
          });
          return answer.status;
        }""",
        [path, values],
    )
    return status


def connect_with_known_username(portal: PortalStack, crew: Crew) -> str:
    registry_id: str = portal.seed(
        "registry",
        team=crew.slug,
        endpoint="registry.example.com",
        slug="theirs",
        credential=(USERNAME, "p-7f3a91"),
    )
    return registry_id


def test_support_revokes_a_license_in_four_clicks(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    portal.connect_sample(crew)
    license = portal.license(crew)
    image = f"{portal.settings.portal_host}/proxy/{crew.application}/sample/my-org/api"
    assert pull(f"{image}:v1.0.1", license["license_id"]) == ""
    page = browsing.visitor(crew.sessions["support"])
    page.goto(crew.path("licenses"))

    # What the customer quotes is the license ID, which is typed and not clicked.
    page.get_by_label("Search").fill(license["license_id"])
    page.get_by_role("link", name=re.compile("Example Corp")).first.click()
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Revoke", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("lost laptop")
    dialog.get_by_role("button", name="Revoke").click()

    expect(page.get_by_text("All pulls are refused")).to_be_visible()
    page.wait_for_timeout(1000)
    assert "was revoked on" in pull(f"{image}:v1.0.1", license["license_id"])
    assert license["license_id"] not in page.url


def test_support_neither_sees_nor_changes_credentials_of_registries(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    registry_id = connect_with_known_username(portal, crew)
    owner = browsing.visitor(crew.sessions["owner"])
    owner.goto(crew.path(f"registries/{registry_id}"))
    expect(owner.get_by_text(USERNAME)).to_be_visible()
    before = portal.seed("rows", team=crew.slug)
    browsing.expect_status(403)
    page = browsing.visitor(crew.sessions["support"])

    page.goto(crew.path(f"registries/{registry_id}"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("theirs")
    assert USERNAME not in page.content()
    expect(page.get_by_role("link", name="Replace credential")).to_have_count(0)
    expect(page.get_by_role("main").locator(CHANGING_FORM)).to_have_count(0)
    change = crew.path(f"registries/{registry_id}/credential")
    status = post(page, change, username="mine", secret="mine", anyway="1")
    page.goto(change)

    assert status == 403
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("You do not have permission")
    assert portal.seed("rows", team=crew.slug) == before


def test_read_only_is_offered_nothing_that_changes_anything(
    browsing: Browsing, example: ExampleTeam
) -> None:
    browsing.expect_status(403, 404)
    page = browsing.visitor(example.sessions[Visitor.VIEWER])
    seen = 0
    for shown in PAGES:
        if shown.visitor is not Visitor.OWNER or not shown.is_of_team:
            continue
        if shown.route in HARMLESS:
            continue
        answer = page.goto(shown.address(example.ids), wait_until="commit")
        assert answer is not None
        # The token belongs to another user, and only they see it.
        if answer.status in {403, 404} or shown.route == "members-leave":
            continue
        assert answer.status == 200, shown.name
        main = page.get_by_role("main")
        expect(main).to_be_visible()
        assert main.locator(CHANGING_FORM).count() == 0, shown.name
        openers = main.locator("[hx-target='#dialog-body']").all_text_contents()
        # To test a token changes nothing.
        assert set(openers) <= {"Leave team", "Test a token"}, shown.name
        seen += 1
    assert seen >= 10


def test_read_only_changes_nothing_by_sending_forms(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    registry_id = connect_with_known_username(portal, crew)
    license = portal.license(crew)
    before = portal.seed("rows", team=crew.slug)
    browsing.expect_status(403)
    page = browsing.visitor(crew.sessions["read-only"])
    page.goto(crew.path("customers"))

    statuses = {
        path: post(
            page, crew.path(path), name="Mine", reason="mine", email="a@b.example"
        )
        for path in (
            "customers/new",
            f"customers/{crew.customer_id}/edit",
            f"customers/{crew.customer_id}/archive",
            "licenses/new",
            f"licenses/{license['id']}/revoke",
            f"licenses/{license['id']}/edit",
            f"licenses/{license['id']}/file",
            f"licenses/{license['id']}/license-id",
            "registries/add",
            f"registries/{registry_id}/delete",
            f"registries/{registry_id}/credential",
            "new-application",
            "members/invite",
            "service-accounts/new",
            "settings",
        )
    }

    assert set(statuses.values()) == {403}, statuses
    assert portal.seed("rows", team=crew.slug) == before


def test_a_second_team_sees_nothing(browsing: Browsing, example: ExampleTeam) -> None:
    page = browsing.visitor(example.sessions[Visitor.NEWCOMER])
    own = {**example.ids, **example.newcomer_ids}
    for shown in PAGES:
        if shown.visitor is not Visitor.OWNER or not shown.is_of_team:
            continue
        theirs = page.request.get(shown.address(example.ids))
        assert theirs.status == 404, shown.name
        assert TEAM_NAME not in theirs.text()
        if shown.names_an_object:
            through_own = page.request.get(shown.address(own))
            assert through_own.status == 404, shown.name
