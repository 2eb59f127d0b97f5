from __future__ import annotations

import re
import uuid

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from alerts.events import CHOOSABLE, Event
from alerts.models import Subscription
from alerts.services import subscribe
from teams.actors import member_actor
from teams.models import Membership, Team
from tests.support.pages.license_pages import HTMX
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import message_of, seen, signed_in
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    AlertFactory,
    DeliveryFactory,
    ExternalRegistryFactory,
    LicenseFactory,
    MembershipFactory,
)
from tests.support.rows.world import rows_of

LIST = "/t/acme/alerts"
MAIL = f"{LIST}/mail"
NOT_CHOSEN = "You have not chosen yet"


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


def choose(membership: Membership, *events: str) -> None:
    subscribe(
        actor=member_actor(membership), membership=membership, events=list(events)
    )


def checked(page: str) -> list[str]:
    return re.findall(r'value="([a-z_.]+)"[^>]*\schecked', page)


def test_empty_list_leads_to_mails(browser: Client) -> None:
    page = browser.get(LIST)

    assert "No alerts yet" in text_of(page)
    assert f'href="{MAIL}"' in page.content.decode()


def test_list_says_what_happened_and_to_what(browser: Client, team: Team) -> None:
    license = LicenseFactory(team=team)
    registry = ExternalRegistryFactory(team=team)
    AlertFactory(team=team, subject_id=license.pk)
    AlertFactory(
        team=team,
        event="registry.rejected",
        subject_id=registry.pk,
        subject_label="quay",
        message="Quay <refuses> it.",
    )
    AlertFactory(team=team, event="webhook.test", message="Only a test")
    AlertFactory(message="Theirs")

    page = browser.get(LIST)

    text = text_of(page)
    assert "now A registry refuses its credential Quay <refuses> it. quay" in text
    assert text.index("quay") < text.index("A license was revoked The license of")
    assert f'href="/t/acme/licenses/{license.pk}"' in page.content.decode()
    assert f'href="/t/acme/registries/{registry.pk}"' in page.content.decode()
    assert "Only a test" not in text
    assert "Theirs" not in text
    for address in re.findall(r'data-label="About"><a href="([^"]*)"', str(page)):
        assert browser.get(address).status_code == 200


@pytest.mark.parametrize("kind", ["license", "registry", "webhook"])
def test_nothing_leads_to_what_was_deleted(
    kind: str, browser: Client, team: Team
) -> None:
    event = {"registry": "registry.rejected", "webhook": "webhook.disabled"}
    AlertFactory(
        team=team,
        event=event.get(kind, "license.revoked"),
        subject_id=uuid.uuid4(),
        subject_label="gone-by-now",
    )

    page = browser.get(LIST)

    assert "gone-by-now" in text_of(page)
    assert 'data-label="About"><a' not in page.content.decode()


@pytest.mark.parametrize(
    ("event", "count"),
    [
        ("", 2),
        ("license.revoked", 1),
        ("registry.rejected", 1),
        ("license.expired", 0),
    ],
)
def test_list_is_filtered(event: str, count: int, browser: Client, team: Team) -> None:
    AlertFactory(team=team)
    AlertFactory(team=team, event="registry.rejected")

    page = browser.get(f"{LIST}?event={event}", headers=HTMX).content.decode()

    assert page.count('data-label="When"') == count
    assert ("Nothing of this kind happened" in page) is (count == 0)
    assert "<html" not in page
    unknown = browser.get(f"{LIST}?event=license.frobbed").content.decode()
    assert "Show: Select a valid choice. license.frobbed is not one of" in unknown
    assert 'data-label="When"' not in unknown


def test_list_leads_through_all_alerts(browser: Client, team: Team) -> None:
    for number in range(30):
        AlertFactory(team=team, message=f"Alert {number}.")

    first = browser.get(LIST).content.decode()
    older = re.search(r'rel="next" href="([^"]*)"', first)
    assert older
    second = browser.get(LIST + older[1]).content.decode()

    assert len(set(re.findall(r"Alert \d+\.", first + second))) == 30


@pytest.mark.parametrize("number", [1, 30])
@pytest.mark.parametrize(("path", "queries"), [(LIST, 6), (MAIL, 6)])
def test_pages_take_as_many_queries_for_30_as_for_1(
    path: str,
    queries: int,
    number: int,
    browser: Client,
    team: Team,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    AlertFactory.create_batch(number, team=team)
    for membership in MembershipFactory.create_batch(number, team=team):
        choose(membership, "license.revoked")
    browser.get(path)

    with django_assert_num_queries(queries):
        browser.get(path)


def test_owners_are_shown_that_they_are_told_everything(
    browser: Client, support: Membership
) -> None:
    page = browser.get(MAIL)

    assert NOT_CHOSEN in text_of(page)
    assert checked(page.content.decode()) == CHOOSABLE
    assert "owner@acme.example you owner Everything Choose" in text_of(page)
    assert "support@acme.example support Nothing Choose" in text_of(page)


def test_member_chooses_for_themselves(
    browser: Client, support: Membership, team: Team
) -> None:
    own = signed_in(support)
    form = {"events": ["license.revoked", "license.expired"], **seen(own, MAIL)}

    response = own.post(MAIL, form)

    assert response.headers["Location"] == MAIL
    chosen = Subscription.objects.get()
    assert chosen.membership_id == support.pk
    assert chosen.events == ["license.expired", "license.revoked"]
    page = own.get(MAIL)
    assert checked(page.content.decode()) == chosen.events
    assert NOT_CHOSEN not in text_of(page)
    assert audited(team) == [("subscription:changed", "support@acme.example")]
    # It is theirs alone: an owner who has not chosen is told everything as before.
    assert "owner@acme.example you owner Everything" in text_of(browser.get(MAIL))


def test_what_is_left_out_is_told_if_that_is_shorter(
    browser: Client, support: Membership
) -> None:
    choose(support, *(each for each in CHOOSABLE if each != Event.LICENSE_REVOKED))

    page = text_of(browser.get(MAIL))

    assert "support Everything but: A license was revoked Choose" in page


def test_nothing_is_a_choice_too(support: Membership, owner: Membership) -> None:
    own = signed_in(support)
    choose(support, "license.revoked")

    own.post(MAIL, seen(own, MAIL))

    assert Subscription.objects.get().events == []


def test_unknown_event_is_told_beside_the_events(browser: Client, team: Team) -> None:
    form = {"events": ["license.frobbed"], **seen(browser, MAIL)}
    before = rows_of(team)

    response = browser.post(MAIL, form)

    assert "no event license.frobbed" in message_of(response, "events")
    assert rows_of(team) == before


def test_choice_of_somebody_else_meanwhile_is_told(
    browser: Client, owner: Membership
) -> None:
    form = {"events": ["license.expired"], **seen(browser, MAIL)}
    choose(owner, "license.revoked")

    response = browser.post(MAIL, form)

    assert "Somebody else has changed this" in text_of(response)
    assert checked(response.content.decode()) == ["license.expired"]  # as entered
    assert Subscription.objects.get().events == ["license.revoked"]


def test_saving_twice_is_told_as_overtaken_and_changes_nothing_more(
    browser: Client, team: Team
) -> None:
    form = {"events": ["license.expired"], **seen(browser, MAIL)}

    browser.post(MAIL, form)
    browser.post(MAIL, form)

    assert len(audited(team)) == 1


def test_owner_chooses_for_others(
    browser: Client, support: Membership, team: Team
) -> None:
    address = f"{MAIL}/{support.pk}"

    shown = browser.get(address, headers=HTMX)
    response = browser.post(
        address, {"events": ["license.revoked"], **seen(browser, address)}
    )

    assert "Alerts by mail to support@acme.example" in text_of(shown)
    assert response.headers["Location"] == MAIL
    assert Subscription.objects.get().membership_id == support.pk
    assert "support@acme.example support A license was revoked" in text_of(
        browser.get(MAIL)
    )
    assert audited(team) == [("subscription:changed", "support@acme.example")]


def test_only_who_manages_members_sees_and_chooses_for_others(
    support: Membership, owner: Membership, team: Team
) -> None:
    own = signed_in(support)
    address = f"{MAIL}/{owner.pk}"
    before = rows_of(team)

    assert "Who is told what" not in text_of(own.get(MAIL))
    assert own.get(address).status_code == 403
    assert own.post(address, {"events": []}).status_code == 403
    assert rows_of(team) == before


def test_webhooks_are_shown_to_who_manages_them(
    browser: Client, support: Membership, team: Team
) -> None:
    webhook = DeliveryFactory(webhook__team=team).webhook
    AlertFactory(team=team, event="webhook.disabled", subject_id=webhook.pk)

    for path in (LIST, MAIL):
        assert "alerts/webhooks" in browser.get(path).content.decode()
        assert "alerts/webhooks" not in signed_in(support).get(path).content.decode()
