"""Pulls as pages show them: by whom, and where a refused one is explained."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from licenses.models import License
from registries.models import PullEvent
from registries.selectors import holders_of_pulls

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
    names = holders_of_pulls(team_id, [pull for pull, _ in found])
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
    if pull.repository != MANY:
        query["image"] = pull.proxied_image
    return urlencode(query, safe="/:@")
