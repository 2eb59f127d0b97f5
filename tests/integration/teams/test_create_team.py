from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from portal.crypto.secrets import Secret
from teams.models import Team, User
from teams.permissions import Role
from teams.selectors import actor_of_api_token, api_token_by_secret


def test_a_team_with_a_token_that_works(db: None) -> None:
    User.objects.create_user("ops@acme.example", "a good password 1")
    output = StringIO()

    call_command("create_team", "acme", owner="OPS@acme.example", stdout=output)

    api_token = api_token_by_secret(Secret(output.getvalue().strip()))
    assert api_token is not None
    actor = actor_of_api_token(api_token)
    assert actor is not None
    assert (actor.role, api_token.team.slug) == (Role.OWNER, "acme")


def test_an_unknown_owner_is_reported(db: None) -> None:
    with pytest.raises(CommandError, match="createsuperuser"):
        call_command("create_team", "acme", owner="nobody@acme.example")

    assert Team.objects.count() == 0


def test_a_taken_slug_is_reported(db: None) -> None:
    User.objects.create_user("ops@acme.example", "a good password 1")
    call_command("create_team", "acme", owner="ops@acme.example", stdout=StringIO())

    with pytest.raises(CommandError, match="already exists"):
        call_command("create_team", "acme", owner="ops@acme.example")

    assert Team.objects.count() == 1
