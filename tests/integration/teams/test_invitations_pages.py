from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone

from teams.models import Invitation, Membership, Team
from tests.support.pages.reading import text_of, undated
from tests.support.pages.team_pages import message_of, signed_in, submission
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    InvitationFactory,
    MembershipFactory,
)
from tests.support.rows.world import rows_of

LIST = "/t/acme/members"
INVITE = f"{LIST}/invite"
HTMX = {"HX-Request": "true"}
LINK = re.compile(r"http://testserver/invitations/[\w-]{43}")


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


@pytest.fixture
def admin(team: Team) -> Membership:
    return MembershipFactory(team=team, user__email="admin@acme.example", role="admin")


@pytest.fixture
def no_mail_server(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1


def invite_form(email: str = "ada@acme.example", role: str = "support") -> Any:
    return {"email": email, "role": role, **submission()}


def links_of(response: Any) -> list[str]:
    return LINK.findall(response.content.decode())


def test_list_shows_open_invitations(
    browser: Client, team: Team, owner: Membership
) -> None:
    InvitationFactory(
        team=team, email="new@acme.example", role="sales", invited_by=owner.user
    )
    InvitationFactory(
        team=team,
        email="late@acme.example",
        expires_at=timezone.now() - timedelta(days=1),
    )
    InvitationFactory(team=team, email="done@acme.example", accepted_at=timezone.now())
    InvitationFactory(email="theirs@rival.example")

    page = undated(text_of(browser.get(LIST)))

    assert "new@acme.example sales owner@acme.example in 6 d" in page
    assert "late@acme.example support \N{EN DASH} expired 1 d ago" in page
    assert "done@acme.example" not in page
    assert "theirs@rival.example" not in page


def test_invitations_have_pages_of_their_own(browser: Client, team: Team) -> None:
    for number in range(30):
        InvitationFactory(team=team, email=f"person{number}@acme.example")
    first = browser.get(LIST)
    link = re.search(r'href="(\?invited=[^"]+)#invitations"', first.content.decode())
    assert link is not None

    second = browser.get(LIST + link[1])

    assert first.content.decode().count("@acme.example</td>") == 25
    assert second.content.decode().count("@acme.example</td>") == 5
    assert "owner@acme.example" in text_of(second)


def test_invite_mails_the_link_and_shows_it_once(
    browser: Client, team: Team, mailoutbox: list[EmailMessage]
) -> None:
    response = browser.post(INVITE, invite_form(role="developer"))

    (link,) = links_of(response)
    (mail,) = mailoutbox
    assert mail.to == ["ada@acme.example"]
    assert mail.subject == "owner@acme.example invited you to join Acme on Berth"
    body = str(mail.body)
    # The mailed link also proves that it was mailed, which the inviter cannot.
    assert re.search(rf"\n{link}\?mailed=[\w%]+\n", body)
    assert "mailed=" not in response.content.decode()
    assert "Your role: developer" in body
    invitation = Invitation.objects.get()
    assert f"until {invitation.expires_at:%Y-%m-%d %H:%M} UTC" in body
    assert audited(team) == [("invitation:sent", "ada@acme.example")]
    assert response.headers["Cache-Control"] == "no-store"
    assert links_of(browser.get(LIST)) == []
    assert link.rpartition("/")[2] not in str(rows_of(team))
    assert Client().get(link).status_code == 200


def test_invite_names_the_person_and_escapes_nothing(
    owner: Membership, team: Team, mailoutbox: list[EmailMessage]
) -> None:
    owner.user.name = "Mel O'Neil"
    owner.user.save()
    team.name = "A & <B>"
    team.save()

    signed_in(owner).post(INVITE, invite_form())

    assert mailoutbox[0].subject == "Mel O'Neil invited you to join A & <B> on Berth"
    assert "Mel O'Neil (owner@acme.example) invited you to join the team A & <B> " in (
        str(mailoutbox[0].body)
    )


def test_invite_reports_that_the_mail_cannot_be_sent(
    browser: Client, no_mail_server: None
) -> None:
    response = browser.post(INVITE, invite_form())

    assert "The e-mail could not be sent." in text_of(response)
    (link,) = links_of(response)
    assert Client().get(link).status_code == 200


def test_invite_sent_twice_invites_once(
    browser: Client, mailoutbox: list[EmailMessage]
) -> None:
    form = invite_form()

    first = browser.post(INVITE, form)
    second = browser.post(INVITE, form, follow=True)

    assert len(links_of(first)) == 1
    assert second.redirect_chain == [(LIST, 302)]
    assert links_of(second) == []
    assert "has already been sent, and its link was shown once" in text_of(second)
    assert len(mailoutbox) == Invitation.objects.count() == 1


def test_invite_in_a_dialog_answers_with_the_dialog(browser: Client) -> None:
    shown = browser.get(INVITE, headers=HTMX)
    assert "<html" not in shown.content.decode()

    response = browser.post(INVITE, invite_form(), headers=HTMX)

    assert "<html" not in response.content.decode()
    assert len(links_of(response)) == 1
    assert "data-reload" in response.content.decode()


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"email": ""}, "email", "This field is required."),
        ({"email": "ada"}, "email", "Enter a valid email address."),
        ({"email": "OWNER@acme.example"}, "email", "This person is already a member."),
        (
            {"email": "Invited@acme.example"},
            "email",
            "This person is already invited. Renew that invitation.",
        ),
        ({"role": ""}, "role", "Choose a role."),
        (
            {"role": "emperor"},
            "role",
            "Choose one of these roles. You cannot grant others.",
        ),
    ],
)
def test_invite_reports_what_is_wrong_beside_the_field(
    values: dict[str, str],
    field: str,
    message: str,
    browser: Client,
    team: Team,
    mailoutbox: list[EmailMessage],
) -> None:
    InvitationFactory(team=team, email="invited@acme.example")
    before = rows_of(team)

    response = browser.post(INVITE, invite_form() | values)

    assert message_of(response, field) == message
    assert rows_of(team) == before
    assert mailoutbox == []


def test_admin_invites_no_owner(admin: Membership, owner: Membership) -> None:
    client = signed_in(admin)
    shown = client.get(INVITE).content.decode()
    assert 'value="admin"' in shown
    assert 'value="owner"' not in shown

    response = client.post(INVITE, invite_form(role="owner"))

    assert message_of(response, "role") == (
        "Choose one of these roles. You cannot grant others."
    )
    assert not Invitation.objects.exists()


def test_admin_does_nothing_to_an_invitation_of_an_owner(
    admin: Membership, owner: Membership, team: Team
) -> None:
    invitation = InvitationFactory(team=team, role="owner")
    client = signed_in(admin)
    before = rows_of(team)

    assert "Withdraw" not in text_of(client.get(LIST))
    for action in ("renew", "withdraw"):
        response = client.post(
            f"/t/acme/invitations/{invitation.pk}/{action}", submission()
        )
        assert response.status_code == 403
    assert rows_of(team) == before


def test_renew_mails_a_new_link_and_stops_the_old_one(
    browser: Client, team: Team, mailoutbox: list[EmailMessage]
) -> None:
    (old,) = links_of(browser.post(INVITE, invite_form()))
    invitation = Invitation.objects.get()
    Invitation.objects.update(expires_at=timezone.now() - timedelta(days=1))
    address = f"/t/acme/invitations/{invitation.pk}/renew"
    assert "stops working" in text_of(browser.get(address))
    form = submission()

    response = browser.post(address, form)
    again = browser.post(address, form, follow=True)

    (new,) = links_of(response)
    assert new != old
    assert links_of(again) == []
    assert "has already been renewed" in text_of(again)
    assert Client().get(old).status_code == 404
    assert Client().get(new).status_code == 200
    assert [new in str(mail.body) for mail in mailoutbox] == [False, True]
    assert audited(team)[1:] == [("invitation:renewed", "ada@acme.example")]


def test_withdraw_stops_the_link(browser: Client, team: Team) -> None:
    (link,) = links_of(browser.post(INVITE, invite_form()))
    address = f"/t/acme/invitations/{Invitation.objects.get().pk}/withdraw"
    assert "Their link stops working." in text_of(browser.get(address))
    assert Invitation.objects.exists()

    response = browser.post(address)

    assert response.headers["Location"] == LIST
    assert not Invitation.objects.exists()
    assert Client().get(link).status_code == 404
    assert audited(team)[1:] == [("invitation:withdrawn", "ada@acme.example")]
    assert "no longer invited" in text_of(browser.get(LIST))
