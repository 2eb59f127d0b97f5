"""Alerts wait until a member acknowledges them for the team."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from alerts.models import Alert
from alerts.services import acknowledge_alerts
from teams.actors import member_actor
from teams.models import Membership, Team
from tests.support.clients.api import ApiClient
from tests.support.pages.license_pages import HTMX
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.audit import audited
from tests.support.rows.factories import AlertFactory
from tests.support.rows.world import rows_of

LIST = "/t/acme/alerts"
ACKNOWLEDGE = f"{LIST}/acknowledge"


@pytest.fixture
def browser(support: Membership) -> Client:
    return signed_in(support)


def waiting(browser: Client, path: str = LIST) -> str:
    """Return the number beside Alerts in the navigation, "" if there is none."""
    found = re.search(r"Alerts (\d+\+?) not acknowledged", text_of(browser.get(path)))
    return found[1] if found else ""


def test_the_navigation_counts_what_waits(browser: Client, team: Team) -> None:
    assert waiting(browser) == ""
    AlertFactory.create_batch(2, team=team)
    AlertFactory(team=team, event="webhook.test")
    AlertFactory(team=team, event="license.issued", is_for_programs=True)
    AlertFactory()  # another team's

    assert waiting(browser) == "2"
    assert waiting(browser, "/t/acme/customers") == "2"


def test_the_navigation_counts_to_99(browser: Client, team: Team) -> None:
    AlertFactory.create_batch(99, team=team)
    assert waiting(browser) == "99"

    AlertFactory(team=team)

    assert waiting(browser) == "99+"


def test_a_member_acknowledges_one(
    browser: Client, support: Membership, team: Team, viewer: Membership
) -> None:
    first, second = AlertFactory.create_batch(2, team=team)
    started = timezone.now()

    response = browser.post(f"{ACKNOWLEDGE}?acknowledged=false", {"id": str(first.pk)})

    assert response.headers["Location"] == f"{LIST}?acknowledged=false"
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.acknowledged_by == support.user.email
    assert started <= first.acknowledged_at <= timezone.now()
    assert (second.acknowledged_at, second.acknowledged_by) == (None, "")
    assert audited(team) == [("alert:acknowledged", str(first))]
    # Everyone on the team sees it.
    page = text_of(signed_in(viewer).get(LIST))
    assert f"now {support.user.email}" in page
    assert "Alerts 1 not acknowledged" in page


def test_a_member_acknowledges_all_shown_and_no_other(
    browser: Client, team: Team
) -> None:
    AlertFactory.create_batch(3, team=team, event="registry.rejected")
    other = AlertFactory(team=team)
    page = browser.get(f"{LIST}?event=registry.rejected").content.decode()
    shown = re.findall(r'name="shown" value="([^"]*)"', page)
    late = AlertFactory(team=team, event="registry.rejected")

    browser.post(ACKNOWLEDGE, {"shown": shown})

    assert len(shown) == 3
    left = Alert.objects.filter(team=team, acknowledged_at__isnull=True)
    assert set(left) == {other, late}
    assert [tag for tag, _ in audited(team)] == ["alert:acknowledged"] * 3


def test_the_first_name_stays(
    browser: Client, owner: Membership, support: Membership, team: Team
) -> None:
    alert = AlertFactory(team=team)
    browser.post(ACKNOWLEDGE, {"id": str(alert.pk)})
    before = rows_of(team)

    again = signed_in(owner).post(ACKNOWLEDGE, {"id": str(alert.pk)}, follow=True)

    assert "Somebody has acknowledged this already." in text_of(again)
    assert rows_of(team) == before
    alert.refresh_from_db()
    assert alert.acknowledged_by == support.user.email


@pytest.mark.parametrize("posted", [{}, {"id": "x"}, {"id": str(uuid.uuid4())}])
def test_what_is_no_alert_changes_nothing(
    posted: dict[str, str], browser: Client, team: Team
) -> None:
    AlertFactory(team=team)
    before = rows_of(team)

    response = browser.post(ACKNOWLEDGE, posted)

    assert response.status_code == 302
    assert rows_of(team) == before


def test_another_teams_alert_stays(browser: Client, team: Team) -> None:
    theirs = AlertFactory()

    browser.post(ACKNOWLEDGE, {"id": str(theirs.pk)})

    theirs.refresh_from_db()
    assert theirs.acknowledged_at is None
    assert audited(team) == []


def test_who_may_only_read_acknowledges_nothing(viewer: Membership, team: Team) -> None:
    alert = AlertFactory(team=team)
    browser = signed_in(viewer)
    before = rows_of(team)

    response = browser.post(ACKNOWLEDGE, {"id": str(alert.pk)})

    assert response.status_code == 403
    assert rows_of(team) == before
    assert "Acknowledge:" not in text_of(browser.get(LIST))


def test_the_list_is_filtered_and_exported(browser: Client, team: Team) -> None:
    done = AlertFactory(team=team, message="Done with it.")
    AlertFactory(team=team, message="Still to do.")
    browser.post(ACKNOWLEDGE, {"id": str(done.pk)})

    left = text_of(browser.get(f"{LIST}?acknowledged=false", headers=HTMX))
    past = text_of(browser.get(f"{LIST}?acknowledged=true", headers=HTMX))
    lines = b"".join(browser.get(f"{LIST}.csv?acknowledged=true"))

    assert ("Still to do." in left, "Done with it." in left) == (True, False)
    assert ("Still to do." in past, "Done with it." in past) == (False, True)
    header, line = lines.decode().splitlines()
    assert header.endswith("acknowledged,acknowledged_by")
    assert line.endswith("Z,support@acme.example")


def test_the_api_acknowledges_once(
    support_api: ApiClient, owner_api: ApiClient, team: Team
) -> None:
    alert = AlertFactory(team=team)
    AlertFactory(team=team)
    path = f"/alerts/{alert.pk}/acknowledge"

    done = support_api.post(path)
    again = owner_api.post(path)

    assert done.status_code == again.status_code == 200
    assert done.json() == again.json()
    assert done.json()["acknowledged_by"] == "support@acme.example"
    listed = support_api.get("/alerts?acknowledged=true").json()["results"]
    assert listed == [done.json()]
    left = support_api.get("/alerts?acknowledged=false").json()["results"]
    assert [row["acknowledged_at"] for row in left] == [None]
    assert audited(team) == [("alert:acknowledged", str(alert))]


def test_the_api_refuses_who_may_only_read(viewer_api: ApiClient, team: Team) -> None:
    alert = AlertFactory(team=team)

    response = viewer_api.post(f"/alerts/{alert.pk}/acknowledge")

    assert response.status_code == 403
    alert.refresh_from_db()
    assert alert.acknowledged_at is None
    assert audited(team) == []


def test_an_alert_is_acknowledged_by_somebody(owner: Membership) -> None:
    alert = AlertFactory(team=owner.team)
    alert.acknowledged_at = timezone.now() - timedelta(minutes=1)

    with pytest.raises(IntegrityError, match="alerts_alert_acknowledged_by"):
        alert.save()


def test_the_service_counts_what_it_changed(owner: Membership) -> None:
    alerts = AlertFactory.create_batch(2, team=owner.team)
    ids = [alert.pk for alert in alerts]
    actor = member_actor(owner)

    counts = [
        acknowledge_alerts(actor=actor, team=owner.team, alert_ids=ids)
        for _ in range(2)
    ]

    assert counts == [2, 0]
