from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alerts.dispatch import send_due_webhooks
from alerts.models import Delivery, Webhook
from teams.models import Membership, Team
from tests.support.pages.license_pages import HTMX
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import message_of, seen, signed_in, submission
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    WEBHOOK_SECRET,
    AlertFactory,
    DeliveryFactory,
    WebhookFactory,
)
from tests.support.rows.world import rows_of
from tests.support.servers.receiver import Receiver, running_receiver

LIST = "/t/acme/alerts/webhooks"
ADD = f"{LIST}/new"
MAIL = "/t/acme/alerts/mail"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")
POLL = 'hx-trigger="every 2s"'


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with running_receiver() as receiver:
        settings.BERTH_INSECURE_WEBHOOKS = [receiver.host]
        yield receiver


@pytest.fixture
def webhook(team: Team) -> Webhook:
    webhook: Webhook = WebhookFactory(team=team, name="Pager")
    return webhook


def address(webhook: Webhook, action: str = "") -> str:
    return f"{LIST}/{webhook.pk}" + (f"/{action}" if action else "")


def form_of(**values: Any) -> dict[str, Any]:
    return {
        "name": "Chat",
        "url": "https://example.com/hook",
        "events": ["license.revoked"],
        **values,
    }


def secret_on(response: Any) -> str:
    (secret,) = SECRET.findall(html.unescape(response.content.decode()))
    return str(secret)


def test_empty_list_leads_to_the_first_webhook(browser: Client) -> None:
    page = browser.get(LIST)

    assert "No webhooks yet" in text_of(page)
    assert f'href="{ADD}"' in page.content.decode()


def test_list_shows_state(browser: Client, webhook: Webhook, team: Team) -> None:
    WebhookFactory(
        team=team,
        name="Off",
        disabled_at=timezone.now(),
        disabled_reason="The receiver responded with status 410.",
    )
    WebhookFactory(team=team, name="Weak", failures=2)
    WebhookFactory(name="Theirs")

    page = text_of(browser.get(LIST))

    assert "Pager https://hooks.example.com/berth A license was revoked active" in page
    assert "disabled now : The receiver responded with status 410." in page
    assert "failing The last 2 alerts could not be delivered." in page
    assert "Theirs" not in page


def test_added_webhook_shows_its_secret_once(browser: Client, team: Team) -> None:
    response = browser.post(ADD, form_of() | submission())

    webhook = Webhook.objects.get()
    assert secret_on(response) == webhook.secret.reveal()
    assert "webhook-signature" in text_of(response)
    assert response.headers["Cache-Control"] == "no-store"
    assert (webhook.name, webhook.events) == ("Chat", ["license.revoked"])
    assert audited(team) == [("webhook:created", "Chat")]
    others = ("/t/acme/alerts", "/t/acme/audit", LIST)
    dialogs = ("", "edit", "secret", "disable", "delete")
    for path in (*others, *(address(webhook, dialog) for dialog in dialogs)):
        assert "whsec_" not in browser.get(path).content.decode()


def test_form_submitted_twice_adds_one_webhook(browser: Client) -> None:
    form = form_of() | submission()

    first = browser.post(ADD, form)
    second = browser.post(ADD, form, follow=True)

    assert secret_on(first) not in second.content.decode()
    assert second.redirect_chain == [(address(Webhook.objects.get()), 302)]
    assert "was already added" in text_of(second)


def test_shown_example_verifies_what_is_sent(
    browser: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = browser.post(ADD, form_of(url=receiver.url) | submission())
    example = re.findall(r"<code>(#.*?)</code>", page.content.decode(), re.DOTALL)
    browser.post(address(Webhook.objects.get(), "test"))
    send_due_webhooks()
    (received,) = receiver.received
    monkeypatch.setenv("BERTH_WEBHOOK_SECRET", secret_on(page))
    names: dict[str, Any] = {}

    exec(html.unescape(example[0]), names)  # noqa: S102 -- the example on the page

    read = names["read_alert"](received.body.encode(), received.headers)
    assert read["type"] == "webhook.test"
    with pytest.raises(
        names["Webhook"].__init__.__globals__["WebhookVerificationError"]
    ):
        names["read_alert"](received.body.encode() + b" ", received.headers)


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"name": "Pager"}, "name", "Another webhook has this name."),
        ({"name": "a\tb"}, "name", "Control characters are not allowed."),
        ({"url": ""}, "url", "This field is required."),
        ({"url": "http://example.com/"}, "url", "begin with https://"),
        ({"url": "example.com"}, "url", "Enter a URL such as https://"),
        ({"url": "https://u:p@example.com/"}, "url", "Omit the credentials"),
        ({"events": []}, "events", "Choose at least one event."),
        ({"events": ["webhook.test"]}, "events", "Unknown event: webhook.test."),
    ],
)
@pytest.mark.parametrize("action", ["add", "edit"])
def test_errors_are_shown_beside_their_field(
    action: str,
    change: dict[str, Any],
    field: str,
    message: str,
    browser: Client,
    webhook: Webhook,
    team: Team,
) -> None:
    other = WebhookFactory(team=team, name="Other")
    path = ADD if action == "add" else address(other, "edit")
    with_form = submission() if action == "add" else seen(browser, path)
    before = rows_of(team)

    response = browser.post(path, form_of(**change) | with_form)

    assert message in message_of(response, field)
    assert rows_of(team) == before


def test_more_than_20_are_refused(browser: Client, team: Team) -> None:
    WebhookFactory.create_batch(20, team=team)

    response = browser.post(ADD, form_of() | submission())

    assert "A team can have at most 20 webhooks." in text_of(response)
    assert Webhook.objects.count() == 20


def test_edit(browser: Client, webhook: Webhook, team: Team) -> None:
    path = address(webhook, "edit")

    response = browser.post(path, form_of() | seen(browser, path))

    assert response.headers["Location"] == address(webhook)
    webhook.refresh_from_db()
    assert (webhook.name, webhook.url) == ("Chat", "https://example.com/hook")
    assert webhook.secret.reveal() == WEBHOOK_SECRET
    assert audited(team) == [("webhook:changed", "Chat")]


def test_concurrent_change_is_shown(browser: Client, webhook: Webhook) -> None:
    path = address(webhook, "edit")
    form = form_of() | seen(browser, path)
    Webhook.objects.update(events=["license.expired"])

    response = browser.post(path, form)

    assert "Somebody else has changed this" in text_of(response)
    assert Webhook.objects.get().name == "Pager"


def test_replaced_secret_is_shown_once(
    browser: Client, webhook: Webhook, team: Team
) -> None:
    path = address(webhook, "secret")
    form = submission()

    dialog = text_of(browser.get(path))
    first = browser.post(path, form)
    second = browser.post(path, form, follow=True)

    assert "signs with the current one for 24 hours" in dialog
    assert secret_on(first) == Webhook.objects.get().secret.reveal() != WEBHOOK_SECRET
    assert second.redirect_chain == [(address(webhook), 302)]
    assert "The secret was already replaced" in text_of(second)
    page = browser.get(address(webhook))
    assert "Berth also signs with the old one until" in text_of(page)
    assert "whsec_" not in page.content.decode()
    assert audited(team) == [("webhook:secret-replaced", "Pager")]


def test_disable_and_enable(browser: Client, webhook: Webhook, team: Team) -> None:
    DeliveryFactory(webhook=webhook, state="pending")
    path = address(webhook, "disable")

    dialog = text_of(browser.get(path))
    was_enabled = Webhook.objects.get().disabled_at is None
    browser.post(path)
    page = text_of(browser.get(address(webhook)))
    state = Delivery.objects.get().state
    browser.post(address(webhook, "enable"))

    assert "pending deliveries fail" in dialog
    assert was_enabled
    assert "Disabled by owner@acme.example." in page
    assert "Enable" in page
    assert "Resend" not in page
    assert state == "failed"
    assert Webhook.objects.get().disabled_at is None
    assert [tag for tag, _ in audited(team)] == ["webhook:disabled", "webhook:enabled"]


def test_delete_asks_first(browser: Client, webhook: Webhook, team: Team) -> None:
    dialog = text_of(browser.get(address(webhook, "delete")))
    existed = Webhook.objects.exists()
    response = browser.post(address(webhook, "delete"))

    assert "cannot be undone" in dialog
    assert existed
    assert response.headers["Location"] == LIST
    assert not Webhook.objects.exists()
    assert audited(team) == [("webhook:deleted", "Pager")]


def test_log_follows_a_test(
    browser: Client, webhook: Webhook, receiver: Receiver
) -> None:
    Webhook.objects.update(url=receiver.url)

    response = browser.post(address(webhook, "test"))
    waiting = browser.get(address(webhook))
    send_due_webhooks()
    done = browser.get(address(webhook), headers=HTMX)

    assert response.headers["Location"] == address(webhook)
    assert "Test alert Pager pending 0" in text_of(waiting)
    assert POLL in waiting.content.decode()
    assert "Pager delivered 1 204 Delivered." in text_of(done)
    assert POLL not in done.content.decode()
    assert "<html" not in done.content.decode()


def test_too_many_tests_are_rejected(browser: Client, webhook: Webhook) -> None:
    for _ in range(10):
        browser.post(address(webhook, "test"))
    browser.get(address(webhook))

    page = browser.post(address(webhook, "test"))

    assert page.status_code == 429
    assert 1 <= int(page.headers["Retry-After"]) <= 60
    assert "at most 10 tests per minute" in text_of(page)
    assert Delivery.objects.count() == 10


def test_log_shows_the_state_of_each_delivery(
    browser: Client, webhook: Webhook, team: Team
) -> None:
    alert = AlertFactory(team=team, event="license.expired", subject_label="Initech")
    DeliveryFactory(
        webhook=webhook,
        alert=alert,
        state="pending",
        attempts=7,
        http_status=None,
        detail="The name does not resolve.",
        due_at=timezone.now() + timedelta(minutes=64),
    )
    DeliveryFactory(
        webhook=webhook,
        state="failed",
        attempts=9,
        http_status=500,
        detail="The receiver responded with status 500.",
    )
    DeliveryFactory(webhook__team=team, detail="Of another webhook")

    page = browser.get(address(webhook))

    text = text_of(page)
    assert (
        "A license has expired Initech retrying next attempt in 1 hour 7 "
        "The name does not resolve."
    ) in text
    assert "failed 9 500 The receiver responded with status 500. Resend" in text
    assert "Of another webhook" not in text
    assert POLL not in page.content.decode()


@pytest.mark.parametrize(("state", "count"), [("", 2), ("failed", 1), ("pending", 0)])
def test_log_is_filtered(
    state: str, count: int, browser: Client, webhook: Webhook
) -> None:
    DeliveryFactory(webhook=webhook)
    DeliveryFactory(webhook=webhook, state="failed")

    page = browser.get(f"{address(webhook)}?state={state}", headers=HTMX)

    assert page.content.decode().count('data-label="When"') == count
    assert ("No delivery matches" in text_of(page)) is (count == 0)
    lost = browser.get(f"{address(webhook)}?state=lost")
    assert "Show: Select a valid choice. lost is not one of" in text_of(lost)
    assert 'data-label="When"' not in lost.content.decode()


def test_failed_delivery_is_resent(
    browser: Client, webhook: Webhook, receiver: Receiver
) -> None:
    Webhook.objects.update(url=receiver.url)
    delivery = DeliveryFactory(webhook=webhook, state="failed", attempts=9)
    path = address(webhook, f"deliveries/{delivery.pk}/retry")

    first = browser.post(path)
    second = browser.post(path)
    send_due_webhooks()

    assert first.headers["Location"] == address(webhook)
    assert second.status_code == 409
    assert "This delivery succeeded or is still pending." in text_of(second)
    assert len(receiver.received) == 1


def test_nothing_is_resent_to_a_disabled_webhook(
    browser: Client, webhook: Webhook
) -> None:
    delivery = DeliveryFactory(webhook=webhook, state="failed")
    browser.post(address(webhook, "disable"))

    response = browser.post(address(webhook, f"deliveries/{delivery.pk}/retry"))

    assert response.status_code == 409
    assert Delivery.objects.get().state == "failed"


@pytest.mark.parametrize(
    "action", ["", "edit", "secret", "enable", "disable", "delete", "test"]
)
def test_support_cannot_manage_webhooks(
    action: str, support: Membership, webhook: Webhook, team: Team
) -> None:
    client = signed_in(support)
    before = rows_of(team)

    assert client.get(LIST).status_code == 403
    assert client.get(address(webhook, action)).status_code in {403, 405}
    assert client.post(address(webhook, action)).status_code in {403, 405}
    assert rows_of(team) == before


def test_developer_manages_webhooks(member: Membership, webhook: Webhook) -> None:
    assert signed_in(member).get(address(webhook)).status_code == 200


@pytest.mark.parametrize("number", [1, 30])
def test_queries_do_not_grow_with_rows(
    number: int,
    browser: Client,
    webhook: Webhook,
    team: Team,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    DeliveryFactory.create_batch(number, webhook=webhook)
    WebhookFactory.create_batch(number, team=team)
    browser.get(LIST)

    with django_assert_num_queries(6):
        browser.get(LIST)
    with django_assert_num_queries(7):
        browser.get(address(webhook))


def test_events_for_programs_are_marked_and_for_webhooks_alone(
    browser: Client, team: Team
) -> None:
    AlertFactory(
        team=team, event="license.issued", message="Issued.", is_for_programs=True
    )
    choice = "A license was issued (for programs)"

    add, mail, alerts = (
        text_of(browser.get(path)) for path in (ADD, MAIL, "/t/acme/alerts")
    )
    response = browser.post(MAIL, {"events": ["license.issued"], **seen(browser, MAIL)})

    assert choice in add
    assert "Events for programs go to webhooks only" in add
    assert choice not in mail
    assert "Events for programs, such as a license that was issued, go to" in mail
    assert "Issued." not in alerts
    assert "Unknown event: license.issued." in message_of(response, "events")
