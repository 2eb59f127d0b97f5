from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from teams.actors import member_actor
from teams.invitations import invite
from teams.models import Invitation, Membership, Team
from teams.permissions import Role
from tests.integration.teams.sign_in.sign_on import CALLBACK, OWNER, use
from tests.support.servers.identity_provider import IdentityProvider, identity_provider


@pytest.fixture(autouse=True)
def limits_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share no limit by account: the owner has the same address in every test."""
    monkeypatch.setattr(cache, "key_prefix", f"berth-{uuid.uuid4()}")


@pytest.fixture
def provider(settings: Any) -> Iterator[IdentityProvider]:
    with identity_provider() as provider:
        provider.redirect_uris.add(f"http://testserver{CALLBACK}")
        provider.person = dict(OWNER)
        use(settings, provider.issuer)
        yield provider


@pytest.fixture
def invitation(owner: Membership, team: Team) -> Invitation:
    invitation, _ = invite(
        actor=member_actor(owner),
        team=team,
        email="guest@acme.example",
        role=Role.SUPPORT,
    )
    return invitation
