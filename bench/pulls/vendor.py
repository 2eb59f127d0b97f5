"""The vendor whose images are pulled, made through the services."""

from __future__ import annotations

from dataclasses import dataclass

from bench.harness.servers import Servers
from licenses.applications import create_application
from licenses.models import Application
from licenses.services import create_customer, issue_license
from portal.crypto.secrets import Secret
from registries.checks.new_credentials import NewCredential
from registries.services import NewRegistry, connect_registry
from teams.actors import Actor, member_actor
from teams.api_tokens import create_api_token
from teams.models import ApiToken, Membership, Team, User
from teams.permissions import Role
from teams.services import create_team

APPLICATION = "bench-app"
# How the vendor's two registries are called in image names.
OPEN = "open"
WITH_TOKENS = "with-tokens"


@dataclass(frozen=True, slots=True)
class Vendor:
    """A team with an application, two connected registries and a license."""

    actor: Actor
    team: Team
    application: Application
    license_id: Secret

    def another_license(self) -> Secret:
        """Issue a license to a new customer and return its ID."""
        return _issue_license(self.actor, self.team, self.application)


def create_vendor(servers: Servers) -> Vendor:
    """Make the vendor, with the registries of a run connected."""
    owner = User.objects.create_user("owner@bench.example")
    team = create_team(name="Bench", slug="bench", owner=owner)
    actor = member_actor(Membership.objects.get(user=owner, team=team))
    application = create_application(
        actor=actor, team=team, name="Bench", slug=APPLICATION
    )
    _connect(actor, team, OPEN, servers.upstream.endpoint, Secret("unused"))
    _, text = create_api_token(
        actor=actor,
        team=team,
        name="Upstream",
        kind=ApiToken.Kind.TEAM,
        role=Role.DEVELOPER,
    )
    _connect(
        actor,
        team,
        WITH_TOKENS,
        servers.token_upstream.endpoint,
        text,
        trusted_realm=servers.token_service_host,
    )
    license_id = _issue_license(actor, team, application)
    return Vendor(actor, team, application, license_id)


def _issue_license(actor: Actor, team: Team, application: Application) -> Secret:
    customer = create_customer(actor=actor, team=team, name="Customer")
    license = issue_license(
        actor=actor, customer=customer, application=application, type="paid"
    )
    return Secret(license.license_id.reveal())


def _connect(
    actor: Actor,
    team: Team,
    slug: str,
    endpoint: str,
    secret: Secret,
    trusted_realm: str = "",
) -> None:
    connect_registry(
        actor=actor,
        team=team,
        new=NewRegistry(
            provider="other",
            endpoint=endpoint,
            slug=slug,
            trusted_realm=trusted_realm,
            credential=NewCredential("password", "bench", secret),
        ),
        skip_test=True,  # the token service of the second one starts later
    )
