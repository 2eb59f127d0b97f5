"""A form that is submitted twice creates one object."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from licenses.models import Customer
from teams.models import IdempotencyRecord, Membership, Team
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in, submission
from tests.support.rows.audit import audited
from tests.support.rows.factories import MembershipFactory

ADD = "/t/acme/customers/new"


def test_a_form_with_an_error_can_be_submitted_again(owner: Membership) -> None:
    browser, form = signed_in(owner), {"name": "", **submission()}

    browser.post(ADD, form)

    assert not IdempotencyRecord.objects.exists()
    assert browser.post(ADD, form | {"name": "Initech"}).status_code == 302


def test_the_same_form_with_other_values_is_refused(owner: Membership) -> None:
    browser, form = signed_in(owner), submission()
    browser.post(ADD, {"name": "Initech", **form})

    response = browser.post(ADD, {"name": "Hooli", **form})

    assert "This form was already submitted with other values." in text_of(response)
    assert Customer.objects.get().name == "Initech"
    assert audited(owner.team) == [("customer:created", "Initech")]


def test_a_form_of_one_member_is_not_one_of_another(
    owner: Membership, team: Team
) -> None:
    form = {"name": "Initech", **submission()}
    other = MembershipFactory(team=team, role="admin")

    first, second = signed_in(owner).post(ADD, form), signed_in(other).post(ADD, form)

    assert first.headers["Location"] != second.headers["Location"]


def test_in_a_dialog_the_second_submission_leads_there_too(owner: Membership) -> None:
    browser, form = signed_in(owner), {"name": "Initech", **submission()}
    first = browser.post(ADD, form)

    second = browser.post(ADD, form, headers={"HX-Request": "true"})

    assert second.headers["HX-Redirect"] == first.headers["Location"]


@pytest.mark.django_db(transaction=True)
def test_clicks_at_the_same_moment_create_one_object(owner: Membership) -> None:
    form = {"name": "Initech", **submission()}
    browsers = [signed_in(owner) for _ in range(4)]
    start = threading.Barrier(4)
    responses: list[Any] = []

    def send(browser: Client) -> None:
        start.wait(timeout=30)
        try:
            responses.append(browser.post(ADD, form))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=[browser]) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    address = f"/t/acme/customers/{Customer.objects.get().pk}"
    assert [response.headers["Location"] for response in responses] == [address] * 4
    assert audited(owner.team) == [("customer:created", "Initech")]
