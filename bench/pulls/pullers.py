"""Licenses drawn from the whole table, with registry tokens made by the issuer."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from bench.pulls.images import REPOSITORY
from licenses.models import License
from oci.scope import Scope
from registries.decision.credentials import Subject, SubjectKind
from registries.tokens.registry_token import TokenIssuer
from registries.tokens.signing_keys import SigningKey

# The seeded registry of each team whose endpoint is the upstream.
REGISTRY = "registry0"
LIFETIME_SECONDS = 300
RENEWED_SECONDS = 200


@dataclass(frozen=True, slots=True)
class Puller:
    """A license's subject in tokens, its team, and the repository that it may pull."""

    subject: Subject
    team_id: uuid.UUID
    repository: str


class Tokens:
    """Registry tokens of pullers, each kept for as long as clients keep theirs."""

    def __init__(self) -> None:
        self._issuer = TokenIssuer(SigningKey.parse(settings.BERTH_TOKEN_SIGNING_KEY))
        self._kept: dict[Puller, tuple[float, str]] = {}

    def headers(self, puller: Puller) -> dict[str, str]:
        """Return the header that presents a token to pull the repository."""
        issued, token = self._kept.get(puller, (-RENEWED_SECONDS, ""))
        if time.monotonic() - issued >= RENEWED_SECONDS:
            issued, token = time.monotonic(), self._issue(puller)
            self._kept[puller] = issued, token
        return {"Authorization": f"Bearer {token}"}

    def _issue(self, puller: Puller) -> str:
        return self._issuer.issue(
            subject=puller.subject,
            service=settings.BERTH_PROXY_SERVICE,
            grants=[Scope("repository", puller.repository, ("pull",))],
            issued_at=timezone.now(),
            lifetime_seconds=LIFETIME_SECONDS,
        )


def seeded_repository(application: str) -> str:
    """Return the name of the upstream's repository for a seeded application."""
    return f"proxy/{application}/{REGISTRY}/{REPOSITORY}"


def draw_crowd(count: int) -> list[Puller]:
    """Draw different active licenses at random."""
    return [_puller(license) for license in _active().order_by("?")[:count]]


def one_of_each_other_team(puller: Puller) -> Iterator[Puller]:
    """Yield an active license of every team but that of a puller."""
    others = _active().exclude(team=puller.team_id)
    for license in others.order_by("team_id", "pk").distinct("team_id"):
        yield _puller(license)


def _active() -> QuerySet[License]:
    return License.objects.active().select_related("application")


def _puller(license: License) -> Puller:
    subject = Subject(SubjectKind.LICENSE, license.pk)
    repository = seeded_repository(license.application.slug)
    return Puller(subject, license.team_id, repository)
