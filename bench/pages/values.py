"""Rows of a team that :mod:`bench.seed.crowd` has filled, and what is looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from django.db.models import Model, QuerySet

from alerts.models import Webhook
from alerts.selectors import webhooks_for_team
from images.models import ImageRepository
from licenses.models import Customer, License, PullCredential
from licenses.selectors import (
    customers_for_team,
    licenses_for_team,
    pull_credentials_of_team,
)
from registries.models import ExternalRegistry
from registries.selectors import registries_for_team
from teams.models import Team, User
from teams.selectors import members_of_team
from tests.support.browser.portal_pages import address_of
from tests.support.browser.screenshots import SHOWN_HOSTS
from tests.support.stacks.portal_stack import ExampleTeam

Row = TypeVar("Row", bound=Model)
NOTHING = "qqqqqqqq"


def _in_the_middle(rows: QuerySet[Row]) -> Row:
    return rows[rows.count() // 2]


@dataclass(frozen=True)
class Values:
    """The large team, which is the example team with a crowd in it."""

    team: Team
    example: ExampleTeam

    def path(self, route: str) -> str:
        """Return the path of a named page, with the example's objects."""
        return address_of(route, self.example.ids)

    @property
    def application_slug(self) -> str:
        return self.example.ids["application_slug"]

    @cached_property
    def license(self) -> License:
        return _in_the_middle(licenses_for_team(self.team.pk))

    @cached_property
    def customer(self) -> Customer:
        return customers_for_team(self.team.pk).get(pk=self.license.customer_id)

    @cached_property
    def busiest_license(self) -> License:
        """The one with the most pulls, of the customer in the example's addresses."""
        return licenses_for_team(self.team.pk).get(pk=self.example.ids["license_id"])

    @cached_property
    def credential(self) -> PullCredential:
        return _in_the_middle(pull_credentials_of_team(self.team.pk))

    @cached_property
    def registry(self) -> ExternalRegistry:
        return registries_for_team(self.team.pk).get(slug="quay")

    @cached_property
    def webhook(self) -> Webhook:
        return webhooks_for_team(self.team.pk).get(pk=self.example.ids["webhook_id"])

    @cached_property
    def owner(self) -> User:
        return members_of_team(self.team.pk).filter(role="owner")[0].user

    @property
    def image(self) -> str:
        """Return an image of an external registry, as its pulls name it."""
        return f"{self.registry.endpoint}/kestrel/service7:v4.7"

    @cached_property
    def private_image(self) -> str:
        rows = ImageRepository.objects.for_team(self.team.pk)
        image = rows.select_related("application").get(pk=self.example.ids["image_id"])
        return f"{SHOWN_HOSTS['BERTH_REGISTRY_HOST']}/{image.full_name}:v4.0.0"

    @property
    def order_number(self) -> str:
        """Return the value of a license field."""
        return str(self.license.field_values["order_number"])

    @property
    def searches(self) -> dict[str, str]:
        """Return what people look for among customers, in words and as typed."""
        return {
            "a whole name": self.customer.name,
            "a common word": "Acme",
            "three letters": "ban",
            "a part of an address": self.customer.email.partition("@")[0],
            "a custom ID": self.customer.custom_id,
            "nothing found": NOTHING,
        }

    @property
    def box(self) -> Mapping[str, str]:
        """Return what is typed into the search box."""
        return {
            **self.searches,
            "two letters": "ac",
            "two rare letters": "zx",
            "a field's value": self.order_number,
            "the UUID of a customer": str(self.customer.pk),
            "the UUID of a license": str(self.license.pk),
            "a whole license ID": self.license.license_id.reveal(),
            "the key of a pull credential": self.credential.key[:8],
            "a common name of pull credentials": "Production",
            "an image as pasted": f"docker pull {self.image}",
            "a private image as pasted": f"docker pull {self.private_image}",
            "an application": self.application_slug,
            "a registry": self.registry.endpoint,
            "a page": "webhook",
        }
