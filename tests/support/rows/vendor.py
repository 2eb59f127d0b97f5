"""A vendor with all it takes for a pull, made through the services."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from licenses.models import Application, Customer, License
from licenses.services import create_application, create_customer, issue_license
from portal.crypto.secrets import Secret
from registries.models import ExternalRegistry
from registries.services import NewCredential, NewRegistry, connect_registry
from teams.actors import Actor, member_actor
from teams.api_tokens import create_api_token
from teams.models import ApiToken, Membership, Team, User
from teams.services import create_team

_numbers = itertools.count(1)
PASSWORD = "correct horse battery"


@dataclass
class Vendor:
    """A team, its owner, one application and one customer."""

    owner: User
    team: Team
    actor: Actor
    application: Application
    customer: Customer

    def give_owner_a_password(self) -> str:
        """Set the owner's password and return it."""
        self.owner.set_password(PASSWORD)
        self.owner.save(update_fields=["password"])
        return PASSWORD

    def license(
        self,
        application: Application | None = None,
        expires_at: datetime | None = None,
    ) -> License:
        return issue_license(
            actor=self.actor,
            customer=self.customer,
            application=application or self.application,
            type="paid",
            expires_at=expires_at,
        )

    def connect(
        self,
        endpoint: str,
        slug: str,
        credential: tuple[str, str] = ("sample", "upstream-password-9d2c"),
        patterns: tuple[str, ...] = ("*",),
        applications: list[Application] | None = None,
        trusted_realm: str = "",
        test_image: str = "",
    ) -> ExternalRegistry:
        username, password = credential
        return connect_registry(
            actor=self.actor,
            team=self.team,
            new=NewRegistry(
                provider="other",
                endpoint=endpoint,
                slug=slug,
                credential=NewCredential("password", username, Secret(password)),
                repository_patterns=patterns,
                applications=applications,
                trusted_realm=trusted_realm,
                test_image=test_image,
            ),
            skip_test=True,
        )

    def api_token(
        self,
        kind: ApiToken.Kind = ApiToken.Kind.USER,
        *,
        name: str = "token",
        **holder: Any,
    ) -> tuple[ApiToken, Secret]:
        """Create an API token, of the owner unless ``holder`` names another."""
        if kind == ApiToken.Kind.USER:
            holder = {"user": self.owner} | holder
        return create_api_token(
            actor=self.actor, team=self.team, name=name, kind=kind, **holder
        )

    def another_application(self, slug: str) -> Application:
        return create_application(
            actor=self.actor, team=self.team, name=slug, slug=slug
        )


def create_vendor(slug: str | None = None) -> Vendor:
    """Make a vendor with an application of its slug plus ``-app``."""
    slug = slug or f"vendor{next(_numbers)}"
    owner = User.objects.create_user(f"owner@{slug}.example")
    team = create_team(name=slug, slug=slug, owner=owner)
    actor = member_actor(Membership.objects.get(user=owner, team=team))
    application = create_application(
        actor=actor, team=team, name="App", slug=f"{slug}-app"
    )
    customer = create_customer(actor=actor, team=team, name="Example Corp")
    return Vendor(owner, team, actor, application, customer)
