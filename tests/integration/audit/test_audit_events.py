from __future__ import annotations

from datetime import UTC, datetime

import pgtrigger
import pytest
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from audit.models import AuditEvent
from audit.services import record
from audit.tags import EventTag
from teams.actors import Actor, Origin
from teams.models import Team
from tests.conftest import NEVER_EMPTIED
from tests.support.clients.api import ApiClient


@pytest.fixture
def event(team: Team, actor: Actor) -> AuditEvent:
    seen = actor.at_origin(Origin(address="203.0.113.9", request_id="abc"))
    return record(seen, EventTag.TEAM_CREATED, team, team.pk, plan="gold")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditevent SET tag = 'x'",
        "DELETE FROM audit_auditevent",
    ],
)
def test_database_refuses_to_change_events(statement: str, event: AuditEvent) -> None:
    with (
        pytest.raises(ProgrammingError, match="Cannot update or delete rows"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert AuditEvent.objects.get().tag == "team:created"


def test_database_refuses_to_empty_the_log(event: AuditEvent) -> None:
    connection.check_constraints()
    pgtrigger.enable(NEVER_EMPTIED)

    with (
        pytest.raises(ProgrammingError, match="Cannot truncate the audit log"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("TRUNCATE audit_auditevent")

    assert AuditEvent.objects.get() == event


def test_models_refuse_to_change_events(event: AuditEvent) -> None:
    event.tag = "x"
    with pytest.raises(ProgrammingError), transaction.atomic():
        event.save()
    with pytest.raises(ProgrammingError), transaction.atomic():
        event.delete()


def test_audit_events_show_who_did_what(
    event: AuditEvent, owner_api: ApiClient, actor: Actor
) -> None:
    response = owner_api.get("/audit-events")

    assert response.status_code == 200
    assert [row | {"created_at": None} for row in response.json()["results"]] == [
        {
            "id": str(event.pk),
            "tag": "team:created",
            "actor_kind": "user",
            "actor_id": str(actor.id),
            "actor_label": "owner@acme.example",
            "subject_kind": "teams.team",
            "subject_id": str(owner_api.team.pk),
            "subject_label": "Acme",
            "data": {"plan": "gold"},
            "address": "203.0.113.9",
            "request_id": "abc",
            "created_at": None,
        }
    ]


def test_audit_events_are_filtered(
    event: AuditEvent, owner_api: ApiClient, actor: Actor
) -> None:
    def count(query: str) -> int:
        return len(owner_api.get(f"/audit-events?{query}").json()["results"])

    year = timezone.now().year
    assert count("tag=team:created") == 1
    assert count("tag=license:revoked") == 0
    assert count(f"actor_id={actor.id}") == 1
    assert count(f"actor_id={owner_api.team.pk}") == 0
    assert count(f"subject_id={owner_api.team.pk}") == 1
    assert count(f"subject_id={actor.id}") == 0
    assert count(f"created_after={year}-01-01T00:00:00Z") == 1
    assert count(f"created_before={year}-01-01T00:00:00Z") == 0


def test_audit_events_are_denied_to_a_developer(
    event: AuditEvent, member_api: ApiClient
) -> None:
    assert member_api.get("/audit-events").status_code == 403


def test_record_keeps_long_labels_short(actor: Actor, team: Team) -> None:
    team.name = "x" * 300

    kept = record(actor, EventTag.TEAM_CREATED, team, team.pk)

    kept.refresh_from_db()
    assert kept.subject_label == "x" * 254
    assert kept.created_at <= datetime.now(UTC)
