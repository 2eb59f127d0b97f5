"""Who sends a token request, and whether they may log in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from django.conf import settings

from edge.http import RegistryError, Request
from edge.pull_counter import PulledImage
from edge.services import EdgeServices
from edge.token.grant import wanted_image
from edge.token.limits import (
    check_failures_here,
    count_anonymous,
    count_failure,
    count_password,
    count_request,
)
from edge.token.parse import TokenRequest
from licenses.identities.workload_token import has_form
from licenses.services import is_use_noted, touch_pull_credential
from oci.errors import ErrorCode
from oci.reference import MalformedName, parse_repository
from oci.scope import Scope
from registries.decision.credentials import (
    PresentedCredential,
    PullCredential,
    RefusedLogin,
    Subject,
)
from registries.decision.facts import (
    ApiTokenHolder,
    Facts,
    Holder,
    LicenseHolder,
)
from registries.decision.image import ImageAccess
from registries.decision.passwords import authorize_password_login
from registries.decision.pull import Denied, decide_login
from registries.decision.query import FactsQuery
from teams.api_tokens import touch_api_token, was_used_long_ago

T = TypeVar("T")
# nginx sends it where it asks ``/v2/_authorize`` before each request.
ASKED_PER_REQUEST = "x-berth-asked-per-request"


@dataclass(frozen=True, slots=True)
class Login:
    """Whom a registry token is issued to, who may be nobody.

    ``denied`` is the decision that refused it, if its holder is known; ``ends_at`` the
    end of the workload token that was presented.
    """

    facts: Facts | None = None
    refused: RefusedLogin | None = None
    denied: Denied | None = None
    ends_at: datetime | None = None

    @property
    def is_unknown(self) -> bool:
        return self.facts is not None and self.facts.holder is None

    @property
    def subject(self) -> Subject | RefusedLogin | None:
        if self.refused is not None or self.facts is None or not self.facts.holder:
            return self.refused
        return self.facts.holder.subject


async def authenticate(
    request: Request, services: EdgeServices, service: str, wanted: TokenRequest
) -> Login:
    """Return the login of a request; a refused one where the pull says why.

    Raises:
        RegistryError: 401 for a login that is refused here, 429 for too many.
    """
    presented = wanted.credential
    if presented is None:
        await count_anonymous(request, services.counts)
        return Login()
    check_failures_here(request)
    is_workload_token = has_form(presented.password.reveal())
    look_up = _look_up_identity if is_workload_token else _look_up
    # To its end even if the client leaves, so that every guess is counted.
    login = await _to_its_end(look_up(request, services, service, wanted, presented))
    if not is_workload_token and login.is_unknown and presented.may_be_account_password:
        # Not to its end: a password is not hashed for a client that has left.
        login = await _look_up_user(request, services, service, wanted, presented)
    login = _decided(request, service, wanted, login)
    if login.refused is None:
        _note_use(request, services, login)
        return login
    is_pull = bool(wanted.scopes) and all(
        scope.actions == ("pull",) for scope in wanted.scopes
    )
    if is_pull and _is_decided_later(request, service):
        return login
    _count_refused(services, service, wanted.scopes, login)
    raise RegistryError(
        401,
        ErrorCode.UNAUTHORIZED,
        login.refused.message,
        headers=[("WWW-Authenticate", 'Basic realm="Berth"')],
        detail={"reason": login.refused.reason},
    )


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Do work even if the client leaves, and then keep its error to yourself."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda task: task.cancelled() or task.exception())
    return await asyncio.shield(task)


async def _look_up(
    request: Request,
    services: EdgeServices,
    service: str,
    wanted: TokenRequest,
    presented: PresentedCredential,
) -> Login:
    """Identify the holder, and count the login, the password or the failure."""
    facts = await _facts(request, services, service, wanted, presented)
    if facts.holder is not None:
        subject = facts.holder.subject
        await count_request(request, services.counts, subject, len(wanted.scopes))
        return Login(facts)
    if presented.may_be_account_password:
        await count_password(request, services.counts)
    else:
        await count_failure(request, services.counts)
    return Login(facts)


async def _look_up_user(
    request: Request,
    services: EdgeServices,
    service: str,
    wanted: TokenRequest,
    presented: PresentedCredential,
) -> Login:
    """Identify the user of an account password that was counted."""
    is_private = service == settings.BERTH_REGISTRY_SERVICE
    holder = await services.password_threads.call_for(
        request.neighbourhood,
        lambda: authorize_password_login(presented, is_private=is_private),
    )
    if isinstance(holder, Denied):
        return Login(refused=RefusedLogin(holder.reason.value, holder.message))
    return Login(await _facts(request, services, service, wanted, holder.subject))


async def _look_up_identity(
    request: Request,
    services: EdgeServices,
    service: str,
    wanted: TokenRequest,
    presented: PresentedCredential,
) -> Login:
    """Identify the holder of a workload token, and count the login or the failure."""
    slugs = {wanted_image(service, scope).application for scope in wanted.scopes}
    found = await services.identities.find(
        presented.password.reveal(), {slug for slug in slugs if slug}, request
    )
    if isinstance(found, RefusedLogin):
        await count_failure(request, services.counts)
        return Login(refused=found)
    # Of all its workloads together.
    counted = replace(found.subject, version=1)
    await count_request(request, services.counts, counted, len(wanted.scopes))
    facts = await _facts(request, services, service, wanted, found.subject)
    return Login(facts, ends_at=found.ends_at)


async def _facts(
    request: Request,
    services: EdgeServices,
    service: str,
    wanted: TokenRequest,
    credential: PullCredential,
) -> Facts:
    images = [wanted_image(service, scope) for scope in wanted.scopes]
    return await services.token_facts.fetch_for(
        _turn(wanted),
        FactsQuery(credential, images, with_secrets=False),
        other_turn=services.token_addresses.turn(request.neighbourhood),
    )


def _decided(
    request: Request, service: str, wanted: TokenRequest, login: Login
) -> Login:
    """Return the login, refused if its holder may not log in."""
    if login.refused is not None or login.facts is None:
        return login
    decision: Holder | Denied = decide_login(
        login.facts,
        request.address,
        is_private=service == settings.BERTH_REGISTRY_SERVICE,
        even_if_inactive=bool(wanted.scopes) and _is_decided_later(request, service),
    )
    if isinstance(decision, Denied):
        refused = RefusedLogin(decision.reason.value, decision.message)
        return replace(login, refused=refused, denied=decision)
    return login


def _note_use(request: Request, services: EdgeServices, login: Login) -> None:
    """Store in the background that a credential was used, unless that is known."""
    facts = login.facts
    holder = facts.holder if facts else None
    if isinstance(holder, ApiTokenHolder) and was_used_long_ago(holder.last_used_at):
        touch = partial(touch_api_token, holder.team_id, holder.id)
        services.background.start(touch)
    if facts is None or not isinstance(holder, LicenseHolder):
        return
    credential = holder.credential
    # What may not pull anything gets an empty token, and is not in use.
    if credential is None or isinstance(decide_login(facts, request.address), Denied):
        return
    if not is_use_noted(credential.id, credential.last_used_at, request.address):
        services.background.start(
            partial(
                touch_pull_credential,
                holder.team_id,
                credential.id,
                request.address,
                request.header("user-agent"),
            )
        )


def _turn(wanted: TokenRequest) -> int:
    """Return what a login's requests have in common before it is identified."""
    return hash(wanted.credential and wanted.credential.password.reveal())


def _is_decided_later(request: Request, service: str) -> bool:
    """Return whether the edge is asked again about what the token will be used for.

    Then that answer says what is wrong with the login, and all clients print it.
    containerd prints none of the token service's, and Distribution's own answer,
    without nginx, says nothing but "denied".

    The edge is asked for every request to the proxy; for those to the private registry
    if nginx is in front of it and says so (deploy/nginx/berth.conf). A client that
    sends the header itself gains nothing: what it gets is a token for nothing.
    """
    is_private = service == settings.BERTH_REGISTRY_SERVICE
    return not is_private or request.header(ASKED_PER_REQUEST) == "1"


def _count_refused(
    services: EdgeServices, service: str, scopes: list[Scope], login: Login
) -> None:
    """Count pulls that end here, before the client names a tag."""
    if service != settings.BERTH_REGISTRY_SERVICE or login.denied is None:
        return
    for scope in scopes:
        if scope.type != "repository" or "pull" not in scope.actions:
            continue
        with suppress(MalformedName):
            access = ImageAccess(parse_repository(scope.name), "pull")
            image = PulledImage(access.application, access.image, "", is_private=True)
            services.pulls.count(login.denied, image, "GET")
