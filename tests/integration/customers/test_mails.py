"""Which mails contacts get: the team's choice, their own, and unsubscribing."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from customers.models import Contact, MailChoice, Unsubscription
from customers.services.mail_choices import choose_mails, unsubscribe
from customers.unsubscribing import unsubscribe_token
from licenses.models import Customer, NoticeKind
from teams.actors import NO_REQUEST, Actor
from teams.models import Membership, Team
from tests.integration.customers.conftest import signed_in
from tests.support.clients.api import ApiClient
from tests.support.minutes import within_a_minute
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import seen
from tests.support.pages.team_pages import signed_in as member_browser
from tests.support.rows.factories import ContactFactory
from tests.support.rows.world import rows_of

MAILS = "/t/acme/settings/customers/mails"
KIND = NoticeKind.LICENSE_EXPIRING
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def address(contact: Contact) -> str:
    return f"/c/unsubscribe/{unsubscribe_token(contact, KIND)}"


@pytest.fixture
def mail_program() -> Client:
    """A mail provider's program, which has no cookies."""
    return Client(enforce_csrf_checks=True)


def test_a_team_chooses_which_mails_it_sends(owner: Membership, team: Team) -> None:
    browser = member_browser(owner)
    page = browser.get(MAILS).content.decode()
    assert page.count("checked") == len(NoticeKind) - 1

    response = browser.post(
        MAILS, {"kinds": ["license_revoked"], **seen(browser, MAILS)}, follow=True
    )

    assert "The e-mails to customers are saved." in text_of(response)
    assert MailChoice.objects.get(team=team).kinds == ["license_revoked"]
    event = AuditEvent.objects.get(tag="contact-mails:chosen")
    assert event.data == {"kinds": ["license_revoked"]}


def test_a_team_chooses_which_mails_it_sends_by_api(
    owner_api: ApiClient, viewer_api: ApiClient
) -> None:
    path = "/team/contact-mail"
    usual = viewer_api.get(path).json()
    changed = owner_api.patch(path, {"kinds": ["license_expired"]})
    unknown = owner_api.patch(path, {"kinds": ["license_frobbed"]})
    refused = viewer_api.patch(path, {"kinds": []})

    assert "license_revoked" not in usual["kinds"]
    assert changed.json()["kinds"] == ["license_expired"]
    assert unknown.status_code == 400
    assert refused.status_code == 403
    assert viewer_api.get(path).json() == changed.json()


def test_one_click_unsubscribes(anna: Contact, mail_program: Client) -> None:
    for _ in range(2):
        response = mail_program.post(address(anna), ONE_CLICK)
        assert response.status_code == 200

    stopped = Unsubscription.objects.get()
    assert (stopped.contact, stopped.kind) == (anna, KIND)
    event = AuditEvent.objects.get(tag="contact:unsubscribed")
    assert (event.actor_label, event.data["kind"]) == (anna.email, KIND)


def test_opening_the_unsubscribe_page_changes_nothing(
    anna: Contact, team: Team, browser: Client
) -> None:
    before = rows_of(team)

    page = browser.get(address(anna))
    browser.head(address(anna))

    assert "Unsubscribe from these e-mails?" in text_of(page)
    assert anna.email not in page.content.decode()
    assert rows_of(team) == before


def test_unsubscribing_can_be_undone(anna: Contact, browser: Client) -> None:
    stopped = browser.post(address(anna))
    again = browser.post(address(anna), {"again": "1"})

    assert "You are unsubscribed" in text_of(stopped)
    assert "Unsubscribe from these e-mails?" in text_of(again)
    assert not Unsubscription.objects.exists()
    assert AuditEvent.objects.filter(tag="contact:subscribed").count() == 1


@pytest.mark.parametrize("forged", ["cut", "other kind", "other contact", "noise"])
def test_a_forged_token_changes_and_reveals_nothing(
    forged: str, anna: Contact, reader: Contact, team: Team, browser: Client
) -> None:
    token = unsubscribe_token(anna, KIND)
    signature = token.rpartition(".")[2]
    gone = Contact(pk=uuid.uuid4())
    tokens: dict[str, str] = {
        "cut": token[:-1],
        "other kind": f"{anna.pk.hex}-license_issued.{signature}",
        "other contact": f"{reader.pk.hex}-{KIND}.{signature}",
        "noise": "x",
    }
    before = rows_of(team)

    def answers(token: str) -> list[Any]:
        path = f"/c/unsubscribe/{token}"
        return [browser.get(path), browser.post(path, ONE_CLICK)]

    found = answers(tokens[forged])
    expected = answers(unsubscribe_token(gone, KIND))  # nobody has it any more

    assert [answer.status_code for answer in found] == [404, 404]
    assert [text_of(answer) for answer in found] == [
        text_of(answer) for answer in expected
    ]
    assert rows_of(team) == before


def test_whoever_has_a_mail_cannot_fill_the_audit_log(
    anna: Contact, browser: Client
) -> None:
    def toggle() -> list[int]:
        bodies = [{}, {"again": "1"}] * 20
        return [browser.post(address(anna), body).status_code for body in bodies]

    statuses = within_a_minute(toggle)

    assert (statuses[0], statuses[-1]) == (200, 429)
    refused = browser.post(address(anna), ONE_CLICK)
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert "Try again in" in text_of(refused)
    # Reading goes on.
    assert browser.get(address(anna)).status_code == 200


def own_page(customer: Customer) -> str:
    return f"/c/{customer.pk}/mails"


def offered_kinds(page: Any) -> list[str]:
    choices: list[tuple[str, str]] = page.context["form"].fields["kinds"].choices
    return [kind for kind, _label in choices]


def unwanted(contact: Contact) -> set[str]:
    return set(contact.unsubscriptions.values_list("kind", flat=True))


def test_a_reader_chooses_for_themselves_alone(anna: Contact, reader: Contact) -> None:
    browser, path = signed_in(reader), own_page(reader.customer)
    kept = ["license_expired", "license_expiring"]
    before = browser.get(path).content.decode()

    response = browser.post(path, {"kinds": kept, **seen(browser, path)}, follow=True)

    assert before.count(" checked") == len(NoticeKind) - 1
    assert "Your choice of e-mails is saved." in text_of(response)
    assert response.content.decode().count(" checked") == 2
    stopped = set(NoticeKind.values) - {*kept, "license_revoked"}
    assert unwanted(reader) == stopped
    assert unwanted(anna) == set()
    events = AuditEvent.objects.filter(tag="contact:unsubscribed")
    assert {event.data["kind"] for event in events} == unwanted(reader)
    assert {event.actor_id for event in events} == {reader.pk}
    # Saving it again changes nothing.
    browser.post(path, {"kinds": kept, **seen(browser, path)})
    assert events.count() == len(stopped)
    assert not AuditEvent.objects.filter(tag="contact:subscribed").exists()


def test_unsubscribing_is_taken_back_on_the_page(anna: Contact) -> None:
    browser, path = signed_in(anna), own_page(anna.customer)
    stopped = browser.post(address(anna))
    assert path in stopped.content.decode()
    page = browser.get(path)
    assert page.content.decode().count(" checked") == len(NoticeKind) - 2

    browser.post(path, {"kinds": offered_kinds(page), **seen(browser, path)})

    assert unwanted(anna) == set()
    event = AuditEvent.objects.get(tag="contact:subscribed")
    assert (event.actor_label, event.data["kind"]) == (anna.email, KIND)


def test_kinds_that_the_vendor_does_not_send_are_not_offered(
    anna: Contact, actor: Actor
) -> None:
    unsubscribe(anna, NoticeKind.LICENSE_ISSUED, NO_REQUEST)
    choose_mails(actor=actor, team=anna.team, kinds=[KIND, "license_changed"])
    browser, path = signed_in(anna), own_page(anna.customer)

    page = browser.get(path)
    assert offered_kinds(page) == ["license_changed", "license_expiring"]
    shown = seen(browser, path)
    refused = browser.post(path, {"kinds": ["license_revoked"], **shown})
    assert "One of these e-mails is no longer sent." in text_of(refused)
    assert unwanted(anna) == {"license_issued"}

    browser.post(path, {"kinds": ["license_changed"], **shown})
    # What they chose before holds again if the vendor sends that kind again.
    assert unwanted(anna) == {"license_issued", KIND}


def test_a_choice_made_in_another_window_is_not_overwritten(anna: Contact) -> None:
    browser, path = signed_in(anna), own_page(anna.customer)
    old = seen(browser, path)
    unsubscribe(anna, KIND, NO_REQUEST)

    response = browser.post(path, {"kinds": [], **old})

    assert response.context["form"].has_conflict
    assert unwanted(anna) == {KIND}


def test_without_mails_there_is_nothing_to_choose(anna: Contact, actor: Actor) -> None:
    choose_mails(actor=actor, team=anna.team, kinds=[])

    page = signed_in(anna).get(own_page(anna.customer))

    assert "No e-mails about licenses" in text_of(page)
    assert '<form method="post" novalidate' not in page.content.decode()


def test_the_choice_is_per_customer(anna: Contact) -> None:
    elsewhere = ContactFactory(customer__team=anna.team, email=anna.email)
    browser, path = signed_in(anna), own_page(anna.customer)

    browser.post(path, {"kinds": [], **seen(browser, path)})

    assert len(unwanted(anna)) == len(NoticeKind) - 1
    assert unwanted(elsewhere) == set()
    other = browser.get(own_page(elsewhere.customer))
    assert other.content.decode().count(" checked") == len(NoticeKind) - 1


def test_members_see_what_is_sent_and_choose_nothing(
    anna: Contact, owner: Membership, team: Team
) -> None:
    browser = member_browser(owner)
    viewed = f"/t/{team.slug}/customers/{anna.customer_id}/view/mails"
    page = browser.get(viewed)
    before = rows_of(team)

    response = browser.post(viewed, {"kinds": []})

    assert "A license has expired" in text_of(page)
    assert "Each person chooses for themselves." in text_of(page)
    assert "checkbox" not in page.content.decode()
    assert response.status_code == 405
    assert rows_of(team) == before


def test_every_page_links_to_the_choice(anna: Contact, owner: Membership) -> None:
    own = signed_in(anna).get(f"/c/{anna.customer_id}/")
    view = f"/t/acme/customers/{anna.customer_id}/view/"
    viewed = member_browser(owner).get(view)

    assert own_page(anna.customer) in own.content.decode()
    assert f"{view}mails" in viewed.content.decode()
