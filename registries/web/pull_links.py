"""Pulls as rows of a page, with their holder and a link to the Why page."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings

from licenses.models import License
from registries.models import PullEvent
from registries.selectors import names_of_holders

# The edge counts a holder's pulls of very many names under this one.
MANY = "*"


@dataclass(frozen=True, slots=True)
class PullRow:
    """A counted pull, its holder's name, and queries of two pages, or "".

    ``why`` is of the Why page if it was refused, ``names`` of the page that shows how
    to pull the image if it was allowed.
    """

    pull: PullEvent
    license: License | None
    holder: str
    why: str
    names: str

    @property
    def customer(self) -> str:
        """Return the customer's name; "" if the team itself pulled."""
        return self.license.customer.name if self.license else ""


def pull_rows(
    team_id: uuid.UUID, pulls: Iterable[tuple[PullEvent, License | None]]
) -> list[PullRow]:
    """Return pulls with the names of their holders, in at most two queries."""
    pulls = list(pulls)
    holders = {pull.holder for pull, license in pulls if license is None}
    names = names_of_holders(team_id, holders)
    return [
        PullRow(
            pull=pull,
            license=license,
            holder=license.customer.name if license else names.get(pull.holder, ""),
            why="" if pull.is_allowed else why_query(pull),
            names=_names_query(pull) if pull.is_allowed else "",
        )
        for pull, license in pulls
    ]


def why_query(pull: PullEvent) -> str:
    """Return the query of the Why page that explains a refused pull."""
    # Of a pull credential or a trusted identity, which may be the reason.
    if pull.license_id and pull.credential_id is None:
        query = {"license": str(pull.license_id)}
    else:
        query = {"holder": pull.holder}
    if image := image_name(pull):
        query["image"] = image
    return urlencode(query, safe="/:@")


def _names_query(pull: PullEvent) -> str:
    image = image_name(pull)
    if image and not pull.is_private:
        proxy = settings.BERTH_PROXY_HOST
        image = f"{proxy}/{image}" if proxy else ""
    query = {"application": pull.application_slug, "image": image}
    return urlencode(query, safe="/:@") if image else ""


def image_name(pull: PullEvent) -> str:
    """Return the pulled name for the Why page, or "" if there were very many."""
    if pull.repository == MANY:
        return ""
    if not pull.is_private:
        return pull.proxied_image
    host = settings.BERTH_REGISTRY_HOST
    return f"{host}/{pull.application_slug}/{pull.image}" if host else ""
