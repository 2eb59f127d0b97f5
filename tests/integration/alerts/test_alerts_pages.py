from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from alerts.events import MAILABLE, Event
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
NOT_CHOSEN = "You have not chosen your e-mail alerts yet"


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


def choose(membership: Membership, *events: str) -> None:
    subscribe(
        actor=member_actor(membership), membership=membership, events=list(events)
    )


def checked(page: str) -> list[str]:
    return re.findall(r'value="([a-z_.]+)"[^>]*\schecked', page)


def test_empty_list_links_to_email_alerts(browser: Client) -> None:
    page = browser.get(LIST)

    assert "No alerts yet" in text_of(page)
    assert f'href="{MAIL}"' in page.content.decode()


def test_list_shows_alerts_and_their_subjects(browser: Client, team: Team) -> None:
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
    assert "now A registry rejects its credential Quay <refuses> it. quay" in text
    assert text.index("quay") < text.index("A license was revoked The license of")
    assert f'href="/t/acme/licenses/{license.pk}"' in page.content.decode()
    assert f'href="/t/acme/registries/{registry.pk}"' in page.content.decode()
    assert "Only a test" not in text
    assert "Theirs" not in text
    for address in re.findall(
        r'data-label="Subject" class="berth-card-fact"><a href="([^"]*)"', str(page)
    ):
        assert browser.get(address).status_code == 200


def test_alerts_about_pull_credentials_lead_to_their_license(
    browser: Client, team: Team
) -> None:
    license = LicenseFactory(team=team)
    kinds = {
        "pull_credential.unused": "A pull credential was not used for 90 days",
        "pull_credential.new_network": "A pull credential was used from a new network",
        "secret.leaked": "A secret was reported as leaked, and stopped",
    }
    for event in kinds:
        AlertFactory(team=team, event=event, subject_id=license.pk)
    AlertFactory(team=team, event="secret.leaked", subject_label="A token")

    page = browser.get(LIST)

    assert all(words in text_of(page) for words in kinds.values())
    link = f'class="berth-card-fact"><a href="/t/acme/licenses/{license.pk}"'
    assert page.content.decode().count(link) == 3
    assert page.content.decode().count('data-label="Subject"') == 4


@pytest.mark.parametrize("kind", ["license", "registry", "webhook"])
def test_deleted_subjects_are_not_linked(
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
    assert (
        'data-label="Subject" class="berth-card-fact"><a' not in page.content.decode()
    )


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
    assert ("No alert matches" in page) is (count == 0)
    assert "<html" not in page
    unknown = browser.get(f"{LIST}?event=license.frobbed").content.decode()
    assert "Alert: Select a valid choice. license.frobbed is not one of" in unknown
    assert 'data-label="When"' not in unknown


def test_list_has_pages(browser: Client, team: Team) -> None:
    for number in range(30):
        AlertFactory(team=team, message=f"Alert {number}.")

    first = browser.get(LIST).content.decode()
    older = re.search(r'rel="next" href="([^"]*)"', first)
    assert older
    second = browser.get(LIST + older[1]).content.decode()

    assert len(set(re.findall(r"Alert \d+\.", first + second))) == 30


@pytest.mark.parametrize("number", [1, 30])
@pytest.mark.parametrize(("path", "queries"), [(LIST, 8), (MAIL, 7)])
def test_queries_do_not_grow_with_rows(
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


def test_owners_get_all_alerts_by_default(browser: Client, support: Membership) -> None:
    page = browser.get(MAIL)

    assert NOT_CHOSEN in text_of(page)
    assert checked(page.content.decode()) == MAILABLE
    assert "owner@acme.example you owner All events Edit the e-mail alerts" in text_of(
        page
    )
    assert "support@acme.example support None Edit the e-mail alerts" in text_of(page)


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
    # The owner, who has not chosen, still gets all alerts.
    assert "owner@acme.example you owner All events" in text_of(browser.get(MAIL))


def test_few_exceptions_are_listed_instead(
    browser: Client, support: Membership
) -> None:
    choose(support, *(event for event in MAILABLE if event != Event.LICENSE_REVOKED))

    page = text_of(browser.get(MAIL))

    assert "support All events except: A license was revoked Edit" in page


def test_choosing_no_alerts(support: Membership, owner: Membership) -> None:
    own = signed_in(support)
    choose(support, "license.revoked")

    own.post(MAIL, seen(own, MAIL))

    assert Subscription.objects.get().events == []


def test_unknown_event_is_shown_beside_the_events(browser: Client, team: Team) -> None:
    form = {"events": ["license.frobbed"], **seen(browser, MAIL)}
    before = rows_of(team)

    response = browser.post(MAIL, form)

    assert "Unknown event: license.frobbed" in message_of(response, "events")
    assert rows_of(team) == before


def test_concurrent_change_is_shown(browser: Client, owner: Membership) -> None:
    form = {"events": ["license.expired"], **seen(browser, MAIL)}
    choose(owner, "license.revoked")

    response = browser.post(MAIL, form)

    assert "Somebody else has changed this" in text_of(response)
    assert checked(response.content.decode()) == ["license.expired"]  # as entered
    assert Subscription.objects.get().events == ["license.revoked"]


def test_saving_twice_changes_nothing_more(browser: Client, team: Team) -> None:
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

    assert "E-mail alerts of support@acme.example" in text_of(shown)
    assert response.headers["Location"] == MAIL
    assert Subscription.objects.get().membership_id == support.pk
    assert "support@acme.example support A license was revoked" in text_of(
        browser.get(MAIL)
    )
    assert audited(team) == [("subscription:changed", "support@acme.example")]


def test_only_member_managers_see_and_choose_for_others(
    support: Membership, owner: Membership, team: Team
) -> None:
    own = signed_in(support)
    address = f"{MAIL}/{owner.pk}"
    before = rows_of(team)

    assert "E-mail alerts by member" not in text_of(own.get(MAIL))
    assert own.get(address).status_code == 403
    assert own.post(address, {"events": []}).status_code == 403
    assert rows_of(team) == before


def test_only_webhook_managers_see_webhooks(
    browser: Client, support: Membership, team: Team
) -> None:
    webhook = DeliveryFactory(webhook__team=team).webhook
    AlertFactory(team=team, event="webhook.disabled", subject_id=webhook.pk)

    for path in (LIST, MAIL):
        assert "alerts/webhooks" in browser.get(path).content.decode()
        assert "alerts/webhooks" not in signed_in(support).get(path).content.decode()


def test_days_and_order_are_of_the_page_and_of_the_csv(
    browser: Client, team: Team
) -> None:
    for number, day in enumerate((1, 2, 3), start=1):
        at = datetime(2026, 3, day, 12, tzinfo=UTC)
        AlertFactory(team=team, subject_label=f"s{number}", created_at=at)
    query = "first_day=2026-03-01&last_day=2026-03-02&sort=time"

    page = browser.get(f"{LIST}?{query}")
    response: Any = browser.get(f"{LIST}.csv?{query}")
    lines = b"".join(response.streaming_content).decode().splitlines()

    assert [alert.subject_label for alert in page.context["page"].rows] == ["s1", "s2"]
    assert "2 alerts" in text_of(page)
    assert [line.split(",")[0] for line in lines] == [
        "time",
        "2026-03-01T12:00:00Z",
        "2026-03-02T12:00:00Z",
    ]
