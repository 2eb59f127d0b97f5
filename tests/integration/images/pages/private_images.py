"""Names and rows that tests of the private registry's pages share."""

from __future__ import annotations

from typing import Any

from images.models import ImageRepository
from registries.models import PRIVATE_REGISTRY_ID
from teams.models import Team
from tests.support.rows.factories import (
    PullEventFactory,
)

HOST = "registry.acme.example"
IMAGES = "/t/acme/images"
LIST = "/t/acme/private-registry"


def address(image: ImageRepository, *rest: object) -> str:
    return "/".join(map(str, (IMAGES, image.pk, *rest)))


def private_pull(team: Team, **values: Any) -> Any:
    return PullEventFactory(
        team=team,
        registry_id=PRIVATE_REGISTRY_ID,
        registry_slug="private-registry",
        **{"repository": "api", "reference": "v1"} | values,
    )
