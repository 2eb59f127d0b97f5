"""Token requests as docker sends them, each with the token that must come of it."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from urllib.parse import urlencode

from django.conf import settings

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


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks. ``subject`` is how tokens name them."""

    username: str
    password: Secret
    subject: Subject

    @property
    def basic(self) -> str:
        """Return what the Authorization header holds (RFC 7617)."""
        pair = f"{self.username}:{self.password.reveal()}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class TokenQuestion:
    """A token request of somebody, or of nobody: an anonymous one is granted nothing.

    ``repository`` is the name in the scope, with any prefix.
    """

    service: str
    repository: str
    actions: tuple[str, ...]
    login: Login | None

    @property
    def line(self) -> str:
        """Return what ``wrk.lua`` reads."""
        query = {"account": self.login.username} if self.login else {}
        query["scope"] = f"repository:{self.repository}:{','.join(self.actions)}"
        query["service"] = self.service
        basic = self.login.basic if self.login else ""
        return f"/v2/token?{urlencode(query)}\t{basic}\n"

    @property
    def subject(self) -> Subject | None:
        return self.login.subject if self.login else None

    @property
    def grants(self) -> frozenset[tuple[str, str, str]]:
        """Return what the token must grant: all that is asked for."""
        if self.login is None:
            return frozenset()
        return frozenset(
            ("repository", self.repository, action) for action in self.actions
        )


@dataclass(frozen=True, slots=True)
class Asker:
    """A login, and the slug of the one application that it asks for.

    One alone, so that the subject of a token tells what it must grant.
    """

    login: Login
    application: str


@dataclass(slots=True)
class TokenQuestions:
    """Questions of each kind about what is in the present database, in random order.

    At most ``licenses`` are drawn over the whole table, active ones alone. None comes
    twice before all have come.
    """

    licenses: int
    _customers: Iterator[Asker] = field(init=False)
    _pushers: Sequence[Asker] = field(init=False)

    def __post_init__(self) -> None:
        self._customers = cycle(list(_customers(self.licenses)))
        self._pushers = list(_pushers())

    def take(self, kind: str, count: int) -> list[TokenQuestion]:
        """Return the next questions of a kind."""
        if kind in WITH_LICENSE:
            ask = _ask_to_pull if kind == PULL else _ask_the_proxy
            return [ask(each) for each in islice(self._customers, count)]
        ask = _ask_to_push if kind == PUSH else _ask_as_nobody
        return [ask(each) for each in random.choices(self._pushers, k=count)]


def _ask_to_pull(asker: Asker) -> TokenQuestion:
    return _ask_the_registry(asker, ("pull",), asker.login)


def _ask_to_push(asker: Asker) -> TokenQuestion:
    return _ask_the_registry(asker, ("pull", "push"), asker.login)


def _ask_as_nobody(asker: Asker) -> TokenQuestion:
    return _ask_the_registry(asker, ("pull",), None)


def _ask_the_registry(
    asker: Asker, actions: tuple[str, ...], login: Login | None
) -> TokenQuestion:
    repository = f"{asker.application}/api"
    return TokenQuestion(settings.BERTH_REGISTRY_SERVICE, repository, actions, login)


def _ask_the_proxy(asker: Asker) -> TokenQuestion:
    # The same registry whenever the license comes.
    registry = f"registry{asker.login.subject.id.int % REGISTRIES}"
    repository = f"proxy/{asker.application}/{registry}/my-org/api"
    return TokenQuestion(
        settings.BERTH_PROXY_SERVICE, repository, ("pull",), asker.login
    )


def _customers(count: int) -> Iterator[Asker]:
    drawn = License.objects.active().select_related("application").order_by("?")
    for license in drawn[:count].iterator():
        subject = Subject(SubjectKind.LICENSE, license.pk)
        login = Login("bench", Secret(license.license_id.reveal()), subject)
        yield Asker(login, license.application.slug)


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
        yield Asker(Login(user.email, text, subject), application.slug)
