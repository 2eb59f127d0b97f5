"""Actions on many licenses or customers: the effect first, then each of them once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.events import Event
from alerts.models import Alert
from audit.models import AuditEvent
from licenses.models import Customer, License
from licenses.services import change_license
from licenses.services.bulk import NO_TIME, Revoke, change_licenses
from licenses.web import bulk
from portal.database.deadlines import waiting_at_most
from teams.actors import member_actor
from teams.models import Membership, Team
from teams.permissions import Role
from tests.support.pages.license_pages import hidden, page
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    ApplicationFactory,
    ChannelFactory,
    CustomerFactory,
    LicenseFactory,
    MembershipFactory,
)

LICENSES = "/t/acme/licenses"
RENEW = f"{LICENSES}/renew"
CHANNEL = f"{LICENSES}/channel"
REVOKE = f"{LICENSES}/revoke"
ARCHIVE = "/t/acme/customers/archive"
END = datetime(2031, 5, 6, 7, 8, tzinfo=UTC)
LATER = datetime(2032, 5, 6, 7, 8, tzinfo=UTC)


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


def chosen(*rows: License | Customer) -> str:
    return urlencode([("id", str(row.pk)) for row in rows])


def confirmation(browser: Client, address: str, **values: str) -> dict[str, str]:
    """Return what the page at an address submits to confirm what it shows."""
    text = page(browser, address)
    path = address.partition("?")[0]
    shown = {name: hidden(text, name) for name in ("submission", "selection")}
    if values:
        response = browser.post(path, {**shown, **values, "step": "show"})
        text = response.content.decode()
    found = re.search(r'name="shown" value="([^"]*)"', text)
    assert found
    return {**shown, "shown": found[1], "step": "confirm", **values}


def audited(tag: str) -> int:
    return AuditEvent.objects.filter(tag=tag).count()


def ends(*licenses: License) -> list[datetime | None]:
    found = {row.pk: row.expires_at for row in License.objects.all()}
    return [found[license.pk] for license in licenses]


def test_list_offers_what_the_role_may_do(
    browser: Client, viewer: Membership, team: Team
) -> None:
    license = LicenseFactory(team=team)
    sales = MembershipFactory(team=team, role=Role.SALES.value)
    support = MembershipFactory(team=team, role=Role.SUPPORT.value)

    def offered(client: Client) -> list[str]:
        found = re.findall(
            r'formaction="/t/acme/licenses/(\w+)"', page(client, LICENSES)
        )
        assert bool(found) == (f'value="{license.pk}"' in page(client, LICENSES))
        return found

    assert offered(browser) == ["renew", "channel", "revoke"]
    assert offered(signed_in(sales)) == ["renew", "channel"]
    assert offered(signed_in(support)) == ["renew", "channel", "revoke"]
    assert offered(signed_in(viewer)) == []


def test_renewing_shows_the_effect_then_renews_each_once(
    browser: Client, team: Team
) -> None:
    one = LicenseFactory(team=team, customer__name="One", expires_at=END)
    two = LicenseFactory(team=team, customer__name="Two", expires_at=LATER)
    other = LicenseFactory(team=team, expires_at=END)
    endless = LicenseFactory(team=team, customer__name="Endless", expires_at=None)
    revoked = LicenseFactory(team=team, expires_at=END, revoked=True)

    address = f"{RENEW}?{chosen(one, two, endless, revoked)}"
    text = text_of(browser.get(address))
    assert ends(one, two, other) == [END, LATER, END]
    response = browser.post(RENEW, confirmation(browser, address) | {"expiry": "year"})

    assert "It never expires." in text
    assert "It is revoked. Reinstate it first." in text
    assert "2 of 4 licenses will be renewed." in text
    assert "Renew 2 licenses" in text
    assert ends(one, two, other) == [LATER, LATER.replace(year=2033), END]
    assert ends(endless, revoked) == [None, END]
    assert response.status_code == 302
    assert audited("license:changed") == 2
    result = text_of(browser.get(response.headers["Location"]))
    assert "2 licenses renewed. 2 skipped." in result
    assert "skipped It never expires." in result


def test_all_that_match_are_renewed_in_three_clicks_from_the_list(
    browser: Client, team: Team
) -> None:
    soon = timezone.now() + timedelta(days=10)
    LicenseFactory.create_batch(40, team=team, expires_at=soon)
    LicenseFactory(team=team, expires_at=END)

    text = page(browser, f"{LICENSES}?state=expiring")
    assert "Select all 40 that match" in text
    assert '<input type="hidden" name="state" value="expiring">' in text
    address = f"{RENEW}?state=expiring&all=1"
    response = browser.post(RENEW, confirmation(browser, address) | {"expiry": "year"})

    result = text_of(browser.get(response.headers["Location"]))
    assert "40 licenses renewed." in result
    assert not License.objects.for_team(team.pk).expiring().exists()
    assert License.objects.filter(expires_at=END).count() == 1
    assert audited("license:changed") == 40


def test_renewing_to_a_date_leaves_what_ends_later(browser: Client, team: Team) -> None:
    team.time_zone = "Asia/Tokyo"
    team.save()
    one = LicenseFactory(team=team, expires_at=END)
    two = LicenseFactory(team=team, expires_at=LATER)
    values = {"expiry": "at", "until": "2031-12-31T09:00"}

    sent = confirmation(browser, f"{RENEW}?{chosen(one, two)}", **values)
    response = browser.post(RENEW, sent)

    assert ends(one, two) == [datetime(2031, 12, 31, tzinfo=UTC), LATER]
    result = text_of(browser.get(response.headers["Location"]))
    assert "1 license renewed. 1 skipped." in result
    assert "It does not expire before that date." in result


@pytest.mark.parametrize(
    ("until", "message"),
    [
        ("", "Enter when the licenses expire."),
        ("soon", "Enter a date and time, such as"),
        ("2001-01-01T00:00", "Enter a date in the future, before 9999."),
        ("9999-12-31T00:00", "Enter a date in the future, before 9999."),
    ],
)
def test_a_wrong_date_renews_nothing(
    until: str, message: str, browser: Client, team: Team
) -> None:
    one = LicenseFactory(team=team, expires_at=END)
    sent = confirmation(browser, f"{RENEW}?{chosen(one)}")

    response = browser.post(RENEW, sent | {"expiry": "at", "until": until})

    assert response.status_code == 200
    assert message in text_of(response)
    assert ends(one) == [END]


def test_values_whose_effect_was_not_shown_are_shown_first(
    browser: Client, team: Team
) -> None:
    one = LicenseFactory(team=team, expires_at=END)
    sent = confirmation(browser, f"{RENEW}?{chosen(one)}")

    response = browser.post(RENEW, sent | {"expiry": "at", "until": "2031-12-31T09:00"})

    assert "The values have changed." in text_of(response)
    assert "1 of 1 license will be renewed." in text_of(response)
    assert ends(one) == [END]


def test_what_somebody_changed_since_is_skipped(
    browser: Client, owner: Membership, team: Team
) -> None:
    one = LicenseFactory(team=team, expires_at=END)
    two = LicenseFactory(team=team, expires_at=END)
    sent = confirmation(browser, f"{RENEW}?{chosen(one, two)}") | {"expiry": "year"}
    change_license(
        actor=member_actor(owner), license=one, changes={"expires_at": LATER}
    )

    response = browser.post(RENEW, sent)

    assert ends(one, two) == [LATER, LATER]
    result = text_of(browser.get(response.headers["Location"]))
    assert "Somebody changed it after you looked. Select it again." in result


def test_submitting_twice_renews_once(browser: Client, team: Team) -> None:
    one = LicenseFactory(team=team, expires_at=END)
    sent = confirmation(browser, f"{RENEW}?{chosen(one)}") | {"expiry": "year"}

    first = browser.post(RENEW, sent)
    second = browser.post(RENEW, sent)

    assert ends(one) == [LATER]
    assert first.headers["Location"] == second.headers["Location"]
    assert "1 license renewed." in text_of(browser.get(second.headers["Location"]))
    assert audited("license:changed") == 1


def test_result_is_for_who_asked(
    browser: Client, member: Membership, outsider: Membership, team: Team
) -> None:
    one = LicenseFactory(team=team, expires_at=END)
    sent = confirmation(browser, f"{RENEW}?{chosen(one)}") | {"expiry": "year"}
    address = browser.post(RENEW, sent).headers["Location"]

    assert "1 license renewed." in text_of(browser.get(address))
    for other in (member, outsider):
        assert signed_in(other).get(address).status_code == 404


def test_channel_is_of_one_application(browser: Client, team: Team) -> None:
    application = ApplicationFactory(team=team)
    beta = ChannelFactory(application=application, name="Beta")
    one = LicenseFactory(team=team, application=application)
    there = LicenseFactory(team=team, application=application, channel=beta)
    other = LicenseFactory(team=team)
    address = f"{CHANNEL}?{chosen(other, there, one)}"
    assert f"{application.name}: Beta" in text_of(browser.get(address))

    sent = confirmation(browser, address, channel=str(beta.pk))
    response = browser.post(CHANNEL, sent)

    one.refresh_from_db()
    assert one.channel == beta
    result = text_of(browser.get(response.headers["Location"]))
    assert "1 license changed. 2 skipped." in result
    assert "It is on this channel already." in result
    assert "It is a license of another application." in result
    assert audited("license:changed") == 1


def test_channel_of_another_team_is_refused(
    browser: Client, team: Team, other_team: Team
) -> None:
    one = LicenseFactory(team=team)
    theirs = LicenseFactory(team=other_team).channel
    sent = confirmation(browser, f"{CHANNEL}?{chosen(one)}")

    response = browser.post(CHANNEL, sent | {"channel": str(theirs.pk)})

    assert response.status_code == 200
    assert "Select a valid choice." in text_of(response)
    assert License.objects.get(pk=one.pk).channel_id == one.channel_id


def test_revoking_takes_one_reason_for_all(browser: Client, team: Team) -> None:
    rows = [LicenseFactory(team=team) for _ in range(3)]
    rows.append(LicenseFactory(team=team, revoked=True))
    sent = confirmation(browser, f"{REVOKE}?{chosen(*rows)}")

    refused = browser.post(REVOKE, sent | {"reason": " "})
    assert "Enter a reason." in text_of(refused)
    assert License.objects.filter(revoked_at=None).count() == 3
    response = browser.post(REVOKE, sent | {"reason": "Contract ended"})

    result = text_of(browser.get(response.headers["Location"]))
    assert "3 licenses revoked. 1 skipped." in result
    assert License.objects.filter(revoke_reason="Contract ended").count() == 3
    assert audited("license:revoked") == 3
    assert Alert.objects.filter(event=Event.LICENSE_REVOKED).count() == 3


def test_archiving_customers(browser: Client, team: Team) -> None:
    one, two = CustomerFactory(team=team), CustomerFactory(team=team)
    gone = CustomerFactory(team=team, archived_at=timezone.now())
    kept = CustomerFactory(team=team)
    assert f'value="{one.pk}"' in page(browser, "/t/acme/customers")

    sent = confirmation(browser, f"{ARCHIVE}?{chosen(one, two, gone)}")
    response = browser.post(ARCHIVE, sent)

    result = text_of(browser.get(response.headers["Location"]))
    assert "2 customers archived. 1 skipped." in result
    current = Customer.objects.filter(archived_at=None)
    assert list(current) == [kept]
    assert audited("customer:archived") == 2


@pytest.mark.parametrize("address", [RENEW, CHANNEL, REVOKE])
def test_nothing_selected_leads_back(address: str, browser: Client, team: Team) -> None:
    for query in ("", "id=", "id=x", "all=1&search=nothing"):
        response = browser.get(f"{address}?{query}", follow=True)
        assert response.redirect_chain[0][0].partition("?")[0] == LICENSES
        assert "Select at least one license." in text_of(response)


def test_too_many_lead_back_with_the_filter(
    browser: Client, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LIMIT", 2)
    LicenseFactory.create_batch(3, team=team, expires_at=END)

    response = browser.get(f"{RENEW}?all=1&state=active", follow=True)

    assert response.redirect_chain == [(f"{LICENSES}?state=active", 302)]
    assert "More than 2 licenses are selected." in text_of(response)


def test_all_are_offered_only_up_to_the_limit(browser: Client, team: Team) -> None:
    customer = CustomerFactory(team=team)
    application = ApplicationFactory(team=team)
    of_one = {"team": team, "customer": customer, "application": application}
    LicenseFactory.create_batch(200, **of_one)
    assert "Select all 200 that match" in text_of(browser.get(LICENSES))

    LicenseFactory(**of_one)

    text = text_of(browser.get(LICENSES))
    assert "201 licenses" in text
    assert "that match" not in text


def test_licenses_of_others_are_not_there(
    browser: Client, team: Team, other_team: Team
) -> None:
    own = LicenseFactory(team=team, expires_at=END)
    theirs = LicenseFactory(team=other_team, expires_at=END, customer__name="Secret")
    address = f"{RENEW}?{chosen(own, theirs)}"
    assert "Secret" not in page(browser, address)

    sent = confirmation(browser, address) | {"expiry": "year"}
    sent["selection"] += f" {theirs.pk}:{theirs.sequence}"
    browser.post(RENEW, sent)

    assert ends(own, theirs) == [LATER, END]


@pytest.mark.parametrize("address", [RENEW, CHANNEL, REVOKE, ARCHIVE])
def test_who_may_not_change_it_sees_nothing_of_it(
    address: str, viewer: Membership, browser: Client, team: Team
) -> None:
    license = LicenseFactory(team=team, expires_at=END)
    row = license.customer if address == ARCHIVE else license
    sent = confirmation(browser, f"{address}?{chosen(row)}")
    client = signed_in(viewer)

    assert client.get(f"{address}?{chosen(row)}").status_code == 403
    values = {"expiry": "year", "reason": "x", "channel": str(license.channel_id)}
    assert client.post(address, sent | values).status_code == 403
    stored = License.objects.get(pk=license.pk)
    assert (stored.expires_at, stored.revoked_at) == (END, None)
    assert Customer.objects.get(pk=license.customer_id).archived_at is None


def test_sales_renew_but_do_not_revoke(team: Team) -> None:
    license = LicenseFactory(team=team, expires_at=END)
    client = signed_in(MembershipFactory(team=team, role=Role.SALES.value))

    assert client.get(f"{RENEW}?{chosen(license)}").status_code == 200
    assert client.get(f"{REVOKE}?{chosen(license)}").status_code == 403


def test_what_there_is_no_time_for_is_left_and_told(
    owner: Membership, team: Team
) -> None:
    license = LicenseFactory(team=team)

    with waiting_at_most(0.5):
        done = change_licenses(
            actor=member_actor(owner),
            licenses=[license],
            action=Revoke("Unpaid"),
            seen={license.pk: license.sequence},
        )

    assert done == [(license, NO_TIME)]
    assert License.objects.get(pk=license.pk).revoked_at is None


@pytest.mark.parametrize("rows", [1, 30])
def test_the_effect_takes_a_constant_number_of_queries(
    rows: int, browser: Client, team: Team
) -> None:
    LicenseFactory.create_batch(rows, team=team, expires_at=END)
    browser.get(LICENSES)

    with CaptureQueriesContext(connection) as queries:
        response: Any = browser.get(f"{RENEW}?all=1")

    assert response.status_code == 200
    assert len(queries) == 6
