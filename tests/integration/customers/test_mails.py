"""Which mails contacts get: the team's page and API, and the page to unsubscribe."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from customers.models import Contact, MailChoice, Unsubscription
from customers.unsubscribing import unsubscribe_token
from licenses.models import NoticeKind
from teams.models import Membership, Team
from tests.support.clients.api import ApiClient
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import seen, signed_in
from tests.support.rows.world import rows_of

MAILS = "/t/acme/settings/customers/mails"
KIND = NoticeKind.LICENSE_EXPIRING
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def address(contact: Contact) -> str:
    return f"/c/unsubscribe/{unsubscribe_token(contact, KIND)}"


@pytest.fixture
def mail_program() -> Client:
    """A program without cookies, as a mail provider's."""
    return Client(enforce_csrf_checks=True)


def test_a_team_chooses(owner: Membership, team: Team) -> None:
    browser = signed_in(owner)
    page = browser.get(MAILS).content.decode()
    assert page.count("checked") == len(NoticeKind) - 1

    response = browser.post(
        MAILS, {"kinds": ["license_revoked"], **seen(browser, MAILS)}, follow=True
    )

    assert "The e-mails to customers are saved." in text_of(response)
    assert MailChoice.objects.get(team=team).kinds == ["license_revoked"]
    event = AuditEvent.objects.get(tag="contact-mails:chosen")
    assert event.data == {"kinds": ["license_revoked"]}


def test_a_team_chooses_by_api(owner_api: ApiClient, viewer_api: ApiClient) -> None:
    path = "/team/contact-mail"
    usual = viewer_api.get(path).json()
    changed = owner_api.patch(path, {"kinds": ["license_expired"]})
    unknown = owner_api.patch(path, {"kinds": ["license_frobbed"]})
    refused = viewer_api.patch(path, {"kinds": []})

    assert "license_revoked" not in usual["kinds"]
    assert changed.json() == {"kinds": ["license_expired"]}
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


def test_looking_at_the_page_changes_nothing(
    anna: Contact, team: Team, browser: Client
) -> None:
    before = rows_of(team)

    page = browser.get(address(anna))
    browser.head(address(anna))

    assert "Unsubscribe from these e-mails?" in text_of(page)
    assert anna.email not in page.content.decode()
    assert rows_of(team) == before


def test_it_can_be_undone(anna: Contact, browser: Client) -> None:
    stopped = browser.post(address(anna))
    again = browser.post(address(anna), {"again": "1"})

    assert "You are unsubscribed" in text_of(stopped)
    assert "Unsubscribe from these e-mails?" in text_of(again)
    assert not Unsubscription.objects.exists()
    assert AuditEvent.objects.filter(tag="contact:subscribed").count() == 1


@pytest.mark.parametrize("forged", ["cut", "other kind", "other contact", "noise"])
def test_a_token_that_is_not_ours_changes_and_tells_nothing(
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
