from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pgtrigger
import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher

from licenses.files import license_keys
from teams.actors import Actor, member_actor
from teams.models import Membership, Team
from teams.permissions import Role
from tests.support.clients.api import ApiClient, member_client
from tests.support.rows.emptying import empty_by_deleting
from tests.support.rows.factories import MembershipFactory, TeamFactory

KEY_BITS = license_keys.KEY_BITS
NEVER_EMPTIED = "audit.AuditEvent:never_emptied"
LAYERS = ("unit", "integration", "e2e", "browser", "kubernetes")
SLOW_STARTERS = ("browser", "kubernetes")
TESTS = Path(__file__).parent
# Their tests share processes that take long to start, so one worker runs a group.
# Elsewhere a file's tests stay together, with the fixtures of the file.
GROUPS = (
    *("e2e/checks", "e2e/revocation", "e2e/portal", "e2e/edge/abuse", "e2e/edge"),
    *("e2e/data_plane", "e2e", "browser", "kubernetes"),
)
# The order in which groups start. The e2e tests mostly wait, so others run beside them;
# the shortest come last, for all processes to end together.
ORDER = (
    *("e2e/checks", "e2e", "integration/test_schemathesis.py", "integration"),
    *("e2e/edge/abuse", "browser", "e2e/edge", "e2e/data_plane", "e2e/portal"),
    *("e2e/revocation", "unit", "kubernetes"),
)


def pytest_configure() -> None:
    """Generate license keys six times as fast, as small as Berth accepts."""
    license_keys.KEY_BITS = license_keys.MIN_BITS


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Iterator[None]:
    """Keep the garbage collector away from what lives as long as the process.

    It would look at all modules and tests again and again, and none of it is garbage.
    Afterwards it looks seldom: reference counts free nearly all that tests leave.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


# Around the others: pytest-xdist reads the groups, and pytest-django sorts.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        layer = _layer(item.path)
        assert layer in LAYERS, f"{item.path} is in no layer of tests"
        item.add_marker(layer)
        item.add_marker(pytest.mark.xdist_group(_group(item.path)))
        is_marked = item.get_closest_marker("django_db") is not None
        if not is_marked and "django_db_setup" in getattr(item, "fixturenames", ()):
            # pytest-django creates no database unless a test says that it needs one.
            item.add_marker("django_db")
        if layer in SLOW_STARTERS and item.get_closest_marker("timeout") is None:
            # The first one also waits for a whole Berth, or a cluster, to start.
            item.add_marker(pytest.mark.timeout(300))
    yield
    items.sort(key=lambda item: _place(item.path))


# There are thousands of tests, but hundreds of files.
@cache
def _layer(path: Path) -> str:
    return path.relative_to(TESTS).parts[0]


@cache
def _group(path: Path) -> str:
    relative = path.relative_to(TESTS)
    groups = (folder for folder in GROUPS if relative.is_relative_to(folder))
    return next(groups, str(relative))


@cache
def _place(path: Path) -> int:
    group = _group(path)
    return ORDER.index(group if group in ORDER else _layer(path))


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> None:
    """Hash passwords as in production, but with the least work that Argon2 allows."""
    Argon2PasswordHasher.time_cost = 1
    Argon2PasswordHasher.memory_cost = 8
    Argon2PasswordHasher.parallelism = 1


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        pgtrigger.disable(NEVER_EMPTIED)
        empty_by_deleting()


# The cast. Everybody but the outsider is in one team, "acme".


@pytest.fixture
def team(db: None) -> Team:
    return TeamFactory(name="Acme", slug="acme")


@pytest.fixture
def other_team(db: None) -> Team:
    return TeamFactory(name="Rival", slug="rival")


@pytest.fixture
def owner(team: Team) -> Membership:
    return MembershipFactory(team=team, user__email="owner@acme.example")


@pytest.fixture
def member(team: Team) -> Membership:
    return MembershipFactory(
        team=team, user__email="member@acme.example", role=Role.DEVELOPER.value
    )


@pytest.fixture
def support(team: Team) -> Membership:
    return MembershipFactory(
        team=team, user__email="support@acme.example", role=Role.SUPPORT.value
    )


@pytest.fixture
def viewer(team: Team) -> Membership:
    return MembershipFactory(
        team=team, user__email="viewer@acme.example", role=Role.READ_ONLY.value
    )


@pytest.fixture
def outsider(other_team: Team) -> Membership:
    return MembershipFactory(team=other_team, user__email="owner@rival.example")


@pytest.fixture
def actor(owner: Membership) -> Actor:
    return member_actor(owner)


@pytest.fixture
def owner_api(owner: Membership) -> ApiClient:
    return member_client(owner)


@pytest.fixture
def member_api(member: Membership) -> ApiClient:
    return member_client(member)


@pytest.fixture
def support_api(support: Membership) -> ApiClient:
    return member_client(support)


@pytest.fixture
def viewer_api(viewer: Membership) -> ApiClient:
    return member_client(viewer)


@pytest.fixture
def outsider_api(outsider: Membership) -> ApiClient:
    return member_client(outsider)


@pytest.fixture
def anonymous_api(team: Team) -> ApiClient:
    return ApiClient(team, None)
