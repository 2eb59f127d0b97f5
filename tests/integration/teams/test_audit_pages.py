from __future__ import annotations

import csv
import io
import itertools
import tracemalloc
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from audit.models import AuditEvent
from audit.selectors import audit_events_for_team
from audit.tags import EventTag, describe
from portal.database.deadlines import REQUEST_SECONDS, seconds_left
from portal.http.keyset import in_batches
from teams.models import Membership, Team
from teams.web.audit import SUBJECT_WORDS, TABLE
from tests.support.clients.api import ApiClient
from tests.support.pages.reading import text_of, undated
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import ApplicationFactory, MembershipFactory
from tests.support.rows.world import make_world

LIST = "/t/acme/audit"
EXPORT = "/t/acme/audit.csv"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


def event(team: Team, **fields: Any) -> AuditEvent:
    subject_id = fields.pop("subject_id", None) or uuid.uuid4()
    values = {
        "tag": "customer:created",
        "actor_kind": "user",
        "actor_id": uuid.uuid4(),
        "actor_label": "ada@acme.example",
        "subject_kind": "licenses.customer",
        "subject_label": "Initech",
        "created_at": timezone.now(),
    }
    return AuditEvent.objects.create(
        team=team, subject_id=subject_id, **(values | fields)
    )


def exported(browser: Client, query: str = "") -> list[dict[str, str]]:
    response: Any = browser.get(f"{EXPORT}?{query}")
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_list_of_a_team_without_events_says_so(browser: Client) -> None:
    assert "No events yet" in text_of(browser.get(LIST))


def test_list_shows_who_did_what_from_where(browser: Client, team: Team) -> None:
    event(
        team,
        address="203.0.113.9",
        data={"email": "<b>x</b>", "seats": 3},
        request_id="abc",
        created_at=timezone.now() - timedelta(hours=2),
    )
    event(
        team,
        tag="team:created",
        actor_kind="system",
        actor_id=None,
        actor_label="Berth",
        subject_kind="teams.team",
        subject_label="Acme",
        created_at=timezone.now() - timedelta(days=1),
    )
    event(MembershipFactory().team, subject_label="Theirs")

    response = browser.get(LIST)

    page = undated(text_of(response))
    assert (
        "2 h ago ada@acme.example user Customer added Initech customer "
        "203.0.113.9 Show details of Customer added, Initech "
        "email <b>x</b> seats 3 at"
    ) in page
    assert "1 d ago Berth Team created Acme team \N{EN DASH} Show" in page
    assert page.index("Customer added Initech") < page.index("Team created Acme")
    assert "<b>x</b>" not in response.content.decode()
    assert "Theirs" not in page


def test_unknown_tags_and_kinds_are_shown_as_they_are(
    browser: Client, team: Team
) -> None:
    event(team, tag="ship:sunk", actor_kind="robot", subject_kind="ships.ship")

    page = text_of(browser.get(LIST))

    assert "robot ship:sunk Initech ships.ship" in page


@pytest.mark.parametrize("tag", EventTag)
def test_every_tag_has_words(tag: EventTag) -> None:
    assert describe(tag) != tag.value
    assert describe(tag)[0].isupper()


def test_subjects_lead_to_their_pages_while_they_are_there(
    browser: Client, team: Team
) -> None:
    world = make_world(team)
    slug = world.license.application.slug
    links = {
        "licenses.customer": f"/t/acme/customers/{world.ids['customer_id']}",
        "licenses.license": f"/t/acme/licenses/{world.ids['license_id']}",
        "registries.externalregistry": f"/t/acme/registries/{world.ids['registry']}",
        "licenses.application": f"/t/acme/applications/{slug}",
    }
    names = {
        "licenses.customer": "customer_id",
        "licenses.license": "license_id",
        "registries.externalregistry": "registry",
        "licenses.application": "application",
    }
    for kind in links:
        event(team, subject_kind=kind, subject_id=world.ids[names[kind]])
        event(team, subject_kind=kind, subject_label="Gone")
    rival = ApplicationFactory()
    event(team, subject_kind="licenses.application", subject_id=rival.pk)
    event(team, subject_kind="teams.user")

    shown = browser.get(LIST).content.decode()

    for link in links.values():
        assert f'<a href="{link}">Initech</a>' in shown
        assert browser.get(link).status_code == 200
    assert ">Gone</a>" not in shown
    assert rival.slug not in shown
    assert '<a href="/t/acme/members">Initech</a>' in shown


def test_every_kind_of_subject_has_words(browser: Client, team: Team) -> None:
    make_world(team)
    event(team)
    shown = text_of(browser.get(LIST))
    assert "licenses.customer" not in shown
    assert {kind.partition(".")[0] for kind in SUBJECT_WORDS} == {
        "alerts",
        "images",
        "licenses",
        "registries",
        "teams",
    }


@pytest.mark.parametrize("number", [1, 30])
def test_list_takes_as_many_queries_for_30_as_for_1(
    number: int,
    browser: Client,
    team: Team,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(number):
        application = ApplicationFactory(team=team)
        event(team, subject_kind="licenses.application", subject_id=application.pk)
    browser.get(LIST)

    with django_assert_num_queries(8):
        browser.get(LIST)


def test_list_has_pages(browser: Client, team: Team) -> None:
    for number in range(30):
        event(
            team,
            subject_label=f"Customer {number:02}",
            created_at=NOON + timedelta(minutes=number),
        )
    first = browser.get(f"{LIST}?actor=ada")
    older = first.context["page"].next

    second = browser.get(f"{LIST}?actor=ada&page={older}")

    shown = [row.subject_label for row in first.context["page"].rows]
    shown += [row.subject_label for row in second.context["page"].rows]
    assert shown == [f"Customer {number:02}" for number in reversed(range(30))]
    assert "actor=ada&amp;page=" in first.content.decode()


FILTERS = [
    ("", {"one", "two", "three"}),
    ("tag=license:revoked", {"two"}),
    ("tag=", {"one", "two", "three"}),
    ("actor=BOB", {"two"}),
    ("actor=%25", set()),
    ("subject=thr", {"three"}),
    ("tag=customer:created&actor=ada", {"one", "three"}),
    ("first_day=2026-03-02", {"two", "three"}),
    ("last_day=2026-03-01", {"one"}),
    ("first_day=2026-03-02&last_day=2026-03-02", {"two"}),
    ("first_day=0001-01-01&last_day=9999-12-31", {"one", "two", "three"}),
    ("subject_id=00000000-0000-0000-0000-000000000001", {"three"}),
]


@pytest.fixture
def three(team: Team) -> None:
    # In Tokyo, nine hours ahead, the second one is of the second of March.
    team.time_zone = "Asia/Tokyo"
    team.save()
    event(
        team, subject_label="one", created_at=datetime(2026, 3, 1, 14, 59, tzinfo=UTC)
    )
    event(
        team,
        subject_label="two",
        tag="license:revoked",
        actor_label="bob@acme.example",
        created_at=datetime(2026, 3, 1, 15, tzinfo=UTC),
    )
    event(
        team,
        subject_label="three",
        subject_id=uuid.UUID(int=1),
        created_at=datetime(2026, 3, 2, 15, tzinfo=UTC),
    )


@pytest.mark.parametrize(("query", "subjects"), FILTERS)
def test_list_and_export_are_filtered(
    query: str, subjects: set[str], browser: Client, three: None
) -> None:
    response = browser.get(f"{LIST}?{query}")

    assert {row.subject_label for row in response.context["page"].rows} == subjects
    assert {row["subject"] for row in exported(browser, query)} == subjects
    if not subjects:
        assert "No matching events" in text_of(response)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("first_day=yesterday", "From: Enter a valid date."),
        ("last_day=2026-02-30", "To: Enter a valid date."),
        ("tag=ship:sunk", "What: Select a valid choice."),
        ("subject_id=1", "Enter a valid UUID."),
    ],
)
def test_wrong_filter_is_told_and_shows_nothing(
    query: str, message: str, browser: Client, three: None
) -> None:
    response = browser.get(f"{LIST}?{query}")
    export = browser.get(f"{EXPORT}?{query}")

    assert message in text_of(response)
    assert "Customer added" not in text_of(response).rpartition("Filter")[2]
    assert export.status_code == 302
    assert export.headers["Location"].startswith(f"{LIST}?")


def test_partial_is_the_list_alone(browser: Client, three: None) -> None:
    response = browser.get(f"{LIST}?actor=bob", headers={"HX-Request": "true"})

    shown = response.content.decode()
    assert "<html" not in shown
    assert 'href="/t/acme/audit.csv?actor=bob"' in shown


def test_api_filters_by_labels_as_the_page_does(
    owner_api: ApiClient, three: None
) -> None:
    def subjects(query: str) -> list[str]:
        results = owner_api.get(f"/audit-events?{query}").json()["results"]
        return [row["subject_label"] for row in results]

    assert subjects("actor=BOB") == ["two"]
    assert subjects("subject=thr") == ["three"]
    assert owner_api.get("/audit-events?first_day=2026-03-01").status_code == 400


def test_export_shows_everything_in_utc(browser: Client, team: Team) -> None:
    team.time_zone = "Asia/Tokyo"
    team.save()
    made = event(
        team,
        address="203.0.113.9",
        request_id="abc",
        data={"name": 'Ünïcode, "quoted"\nline', "seats": 3},
        created_at=NOON,
    )

    response: Any = browser.get(EXPORT)

    assert response.streaming
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    name = response.headers["Content-Disposition"]
    assert name.startswith('attachment; filename="audit-acme-20')
    assert exported(browser) == [
        {
            "time": "2026-03-01T12:00:00Z",
            "event": "customer:created",
            "what": "Customer added",
            "actor_kind": "user",
            "actor": "ada@acme.example",
            "actor_id": str(made.actor_id),
            "subject_kind": "licenses.customer",
            "subject": "Initech",
            "subject_id": str(made.subject_id),
            "address": "203.0.113.9",
            "request_id": "abc",
            "data": '{"name": "Ünïcode, \\"quoted\\"\\nline", "seats": 3}',
        }
    ]


LOOK_ALIKES = "＝＋－＠﹦﹢﹣﹫⁼₌⁺₊⁻₋−﬩"  # noqa: RUF001 -- what they are for


@pytest.mark.parametrize("start", [*"=+-@\t\r\n", *LOOK_ALIKES])
def test_export_has_no_formulas(start: str, browser: Client, team: Team) -> None:
    formula = f"{start}cmd|' /C calc'!A0"
    event(team, actor_label=formula, subject_label=formula)

    (row,) = exported(browser)

    assert row["actor"] == row["subject"] == f"'{formula}"


def test_export_comes_in_batches_and_misses_nothing(
    team: Team, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    # Some of them at the very same instant, across the edges of batches.
    AuditEvent.objects.bulk_create(
        _unsaved(team, NOON + timedelta(seconds=number // 4)) for number in range(25)
    )
    event(MembershipFactory().team, created_at=NOON)
    events = audit_events_for_team(team.pk)

    with django_assert_num_queries(4):
        batches = list(in_batches(events, size=10))

    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert list(itertools.chain(*batches)) == list(events)


def test_each_batch_of_an_export_waits_no_longer_than_a_request(
    browser: Client, three: None
) -> None:
    left: list[float] = []

    def note(execute: Callable[..., Any], *query: Any) -> Any:
        left.append(seconds_left())
        return execute(*query)

    response: Any = browser.get(EXPORT)
    with connection.execute_wrapper(note):
        list(response.streaming_content)

    assert left
    assert max(left) <= REQUEST_SECONDS


def test_export_of_much_takes_little_memory(team: Team) -> None:
    def batches() -> Iterator[Iterable[AuditEvent]]:
        for _ in range(50):
            yield [_unsaved(team, NOON) for _ in range(200)]

    tracemalloc.start()
    length = sum(len(line) for line in TABLE.csv(batches()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert length > 1_400_000
    assert peak < 1_000_000


def _unsaved(team: Team, at: datetime) -> AuditEvent:
    return AuditEvent(
        team_id=team.pk,
        tag="customer:created",
        actor_kind="user",
        actor_label="ada@acme.example",
        subject_kind="licenses.customer",
        subject_id=uuid.uuid4(),
        subject_label="Initech",
        created_at=at,
    )


def test_export_of_nothing_is_a_heading(browser: Client) -> None:
    response: Any = browser.get(EXPORT)

    text = b"".join(response.streaming_content).decode()
    assert text.startswith("time,event,what,actor_kind,actor,actor_id,")
    assert text.count("\r\n") == 1


def test_support_reads_and_exports(support: Membership, three: None) -> None:
    client = signed_in(support)

    assert client.get(LIST).status_code == 200
    assert len(exported(client)) == 3


@pytest.mark.parametrize("role", ["developer", "sales", "read-only"])
def test_who_may_not_read_the_log_gets_neither(
    role: str, team: Team, three: None
) -> None:
    client = signed_in(MembershipFactory(team=team, role=role))

    for address in (LIST, EXPORT):
        response = client.get(address)
        assert response.status_code == 403
        assert "Initech" not in response.content.decode()


def test_outsider_finds_nothing(outsider: Membership, three: None) -> None:
    client = signed_in(outsider)

    assert client.get(LIST).status_code == 404
    assert client.get(EXPORT).status_code == 404
    assert exported_of_rival(client) == []


def exported_of_rival(client: Client) -> list[str]:
    response: Any = client.get("/t/rival/audit.csv")
    return b"".join(response.streaming_content).decode().splitlines()[1:]


@pytest.mark.parametrize("address", [LIST, EXPORT])
def test_log_is_changed_by_no_method(address: str, browser: Client) -> None:
    for method in (browser.post, browser.put, browser.delete):
        assert method(address).status_code == 405
