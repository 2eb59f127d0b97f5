"""The vendor of the pulled images, created through the services."""

from __future__ import annotations

from dataclasses import dataclass

from licenses.models import Application
from licenses.services import create_application, create_customer, issue_license
from portal.crypto.secrets import Secret
from registries.services import NewCredential, NewRegistry, connect_registry
from teams.actors import Actor, member_actor
from teams.api_tokens import create_api_token
from teams.models import ApiToken, Membership, Team, User
from teams.permissions import Role
from teams.services import create_team

APPLICATION = "bench-app"
# The slugs of the vendor's two registries in image names.
OPEN = "open"
WITH_TOKENS = "with-tokens"


@dataclass(frozen=True, slots=True)
class Vendor:
    """A team with one application."""

    actor: Actor
    team: Team
    application: Application

    def issue_license(self) -> Secret:
        """Issue a license to a new customer and return its ID."""
        customer = create_customer(actor=self.actor, team=self.team, name="Customer")
        license = issue_license(
            actor=self.actor,
            customer=customer,
            application=self.application,
            type="paid",
        )
        return Secret(license.license_id.reveal())

    def create_token(self) -> Secret:
        """Create a team token for the upstream that requires tokens."""
        _, text = create_api_token(
            actor=self.actor,
            team=self.team,
            name="Upstream",
            kind=ApiToken.Kind.TEAM,
            role=Role.DEVELOPER,
        )
        return text

    def connect(
        self, slug: str, endpoint: str, secret: Secret, trusted_realm: str = ""
    ) -> None:
        """Connect a registry without testing it; its token service starts later."""
        connect_registry(
            actor=self.actor,
            team=self.team,
            new=NewRegistry(
                provider="other",
                endpoint=endpoint,
                slug=slug,
                trusted_realm=trusted_realm,
                credential=NewCredential("password", "bench", secret),
            ),
            skip_test=True,
        )


def create_vendor() -> Vendor:
    owner = User.objects.create_user("owner@bench.example")
    team = create_team(name="Bench", slug="bench", owner=owner)
    actor = member_actor(Membership.objects.get(user=owner, team=team))
    application = create_application(
        actor=actor, team=team, name="Bench", slug=APPLICATION
    )
    return Vendor(actor, team, application)
