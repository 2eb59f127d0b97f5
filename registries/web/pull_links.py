"""Pulls as pages show them: by whom, and where a refused one is explained."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings

from licenses.models import License
from registries.models import PullEvent
from registries.selectors import names_of_holders

# The edge counts the pulls of who asks for very many names under this one.
MANY = "*"


@dataclass(frozen=True, slots=True)
class ShownPull:
    """A counted pull, who asked for it, and the query of its Why page."""

    pull: PullEvent
    license: License | None
    holder: str
    why: str


def shown_pulls(
    team_id: uuid.UUID, pulls: Iterable[tuple[PullEvent, License | None]]
) -> list[ShownPull]:
    """Return pulls with their holders in words, in two queries at most."""
    found = list(pulls)
    holders = {pull.holder for pull, license in found if license is None}
    names = names_of_holders(team_id, holders)
    return [
        ShownPull(
            pull=pull,
            license=license,
            holder=license.customer.name if license else names.get(pull.holder, ""),
            why="" if pull.is_allowed else why_query(pull),
        )
        for pull, license in found
    ]


def why_query(pull: PullEvent) -> str:
    """Return the query that has the Why page explain a refused pull."""
    if pull.license_id:
        query = {"license": str(pull.license_id)}
    else:
        query = {"holder": pull.holder}
    image = asked_image(pull)
    if image:
        query["image"] = image
    return urlencode(query, safe="/:@")


def asked_image(pull: PullEvent) -> str:
    """Return the name that was pulled, as the Why page reads it; empty for many."""
    if pull.repository == MANY:
        return ""
    if not pull.is_private:
        return pull.proxied_image
    host = settings.BERTH_REGISTRY_HOST
    return f"{host}/{pull.application_slug}/{pull.image}" if host else ""
