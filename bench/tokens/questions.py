"""Token requests as docker sends them, each with the grants to expect."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from urllib.parse import urlencode

from django.conf import settings

from bench.harness.client import basic
from bench.harness.load import Request
from bench.seed.licenses import REGISTRIES
from licenses.models import Application, License
from portal.crypto.secrets import Secret
from registries.decision.credentials import Subject, SubjectKind
from teams.actors import member_actor
from teams.api_tokens import create_api_token
from teams.models import ApiToken, Membership, User
from teams.permissions import Role

PULL = "Pull, the private registry"
PROXIED_PULL = "Pull, the proxy"
PUSH = "Push, the private registry"
ANONYMOUS = "Anonymous, the private registry"
WITH_LICENSE = (PULL, PROXIED_PULL)
KINDS = (*WITH_LICENSE, PUSH, ANONYMOUS)
# More than one edge answers, so that no license is repeated within a round.
QUESTIONS_PER_SECOND = 3_000


@dataclass(frozen=True, slots=True)
class Asker:
    """A login with its subject in tokens, and the slug of its only application.

    With one application each, a token's subject determines what it must grant.
    """

    username: str
    password: Secret
    subject: Subject
    application: str


@dataclass(frozen=True, slots=True)
class TokenQuestion:
    """A token request; an anonymous one, without an asker, is granted nothing.

    ``repository`` is the name in the scope, with any prefix.
    """

    service: str
    repository: str
    actions: tuple[str, ...]
    asker: Asker | None

    @property
    def line(self) -> str:
        """Return the line for ``wrk.lua``."""
        query = {
            "scope": f"repository:{self.repository}:{','.join(self.actions)}",
            "service": self.service,
        }
        if self.asker is None:
            return Request(f"/v2/token?{urlencode(query)}", {}).line
        query = {"account": self.asker.username, **query}
        header = basic(self.asker.username, self.asker.password)
        url = f"/v2/token?{urlencode(query)}"
        return Request(url, {"Authorization": header}).line

    @property
    def subject(self) -> Subject | None:
        return self.asker.subject if self.asker else None

    @property
    def grants(self) -> frozenset[tuple[str, str, str]]:
        """Return the grants of the token: everything in the scope."""
        actions = self.actions if self.asker else ()
        return frozenset(("repository", self.repository, action) for action in actions)


class TokenQuestions:
    """Questions about the current database, in random order.

    At most ``licenses`` active licenses are drawn from the whole table. None is
    repeated before all have been used.
    """

    def __init__(self, licenses: int) -> None:
        self._customers = cycle(list(_customers(licenses)))
        self._pushers: Sequence[Asker] = list(_pushers())

    def take(self, kind: str, count: int) -> list[TokenQuestion]:
        """Return the next questions of a kind."""
        if kind in WITH_LICENSE:
            askers = list(islice(self._customers, count))
        else:
            askers = random.choices(self._pushers, k=count)
        return [_question(kind, asker) for asker in askers]


def _question(kind: str, asker: Asker) -> TokenQuestion:
    if kind == PROXIED_PULL:
        # A license always asks for the same registry.
        registry = f"registry{asker.subject.id.int % REGISTRIES}"
        repository = f"proxy/{asker.application}/{registry}/my-org/api"
        return TokenQuestion(settings.BERTH_PROXY_SERVICE, repository, ("pull",), asker)
    return TokenQuestion(
        service=settings.BERTH_REGISTRY_SERVICE,
        repository=f"{asker.application}/api",
        actions=("pull", "push") if kind == PUSH else ("pull",),
        asker=None if kind == ANONYMOUS else asker,
    )


def _customers(count: int) -> Iterator[Asker]:
    drawn = License.objects.active().select_related("application").order_by("?")
    for license in drawn[:count].iterator():
        subject = Subject(SubjectKind.LICENSE, license.pk)
        password = Secret(license.license_id.reveal())
        yield Asker("bench", password, subject, license.application.slug)


def _pushers() -> Iterator[Asker]:
    """Give each team a developer with a user token; yield them."""
    for application in Application.objects.order_by("team", "pk").distinct("team"):
        team = application.team
        user = User.objects.create_user(f"{team.slug}@bench.example")
        member = Membership.objects.create(team=team, user=user, role=Role.DEVELOPER)
        api_token, text = create_api_token(
            actor=member_actor(member),
            team=team,
            name="Push",
            kind=ApiToken.Kind.USER,
            user=user,
        )
        subject = Subject(SubjectKind.API_TOKEN, api_token.pk)
        yield Asker(user.email, text, subject, application.slug)
