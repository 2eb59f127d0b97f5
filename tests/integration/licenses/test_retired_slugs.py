"""The database itself gives no other team the slug of a deleted application."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction

from licenses.models import Application, RetiredSlug
from licenses.services import delete_application
from teams.actors import member_actor
from teams.models import Team
from tests.support.rows.factories import (
    ApplicationFactory,
    MembershipFactory,
    TeamFactory,
)


def create(team: Team, slug: str = "my-app") -> Application:
    """Create an application past the service, as a new one might."""
    return Application.objects.create(team=team, name="Any", slug=slug)


def test_another_team_cannot_take_it(team: Team, other_team: Team) -> None:
    RetiredSlug.objects.create(team=team, slug="my-app")
    theirs = create(other_team, "their-app")

    with pytest.raises(IntegrityError, match="my-app is retired"), transaction.atomic():
        create(other_team)
    with pytest.raises(IntegrityError, match="my-app is retired"), transaction.atomic():
        Application.objects.filter(pk=theirs.pk).update(slug="my-app")

    stored = Application.objects.values_list("team__slug", "slug")
    assert list(stored) == [("rival", "their-app")]


def test_its_own_team_can(team: Team, other_team: Team) -> None:
    RetiredSlug.objects.create(team=team, slug="my-app")
    RetiredSlug.objects.create(team=other_team, slug="their-app")

    assert create(team).team == team
    assert create(other_team, "other-app").team == other_team


def test_a_slug_that_is_just_being_retired_is_refused_too(
    transactional_db: None,
) -> None:
    application = ApplicationFactory(slug="my-app")
    actor = member_actor(MembershipFactory(team=application.team))
    rival = TeamFactory()

    def take() -> None:
        try:
            create(rival)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            delete_application(actor=actor, application=application)
            taking = elsewhere.submit(take)
            wait_until(is_waiting_for_a_lock)
        with pytest.raises(IntegrityError, match="my-app is retired"):
            taking.result(10)

    assert not Application.objects.exists()


def is_waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
