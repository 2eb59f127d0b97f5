"""The outcomes of checks, each caused by a real process.

The table is the whole list. What each provider reports is in
``test_provider_logins.py``, Amazon's in ``test_ecr_checks.py``. How states follow from
successive outcomes is in ``test_check_states.py`` and in unit tests of the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.utils import timezone

from alerts.models import Alert
from oci.reference import parse_reference
from registries.checks.attempt import CheckResult, check_credential
from registries.checks.queue import check_due_registries
from registries.models import CredentialCheck, ExternalRegistry
from registries.models.health import Outcome
from registries.providers.problems import Problem
from registries.selectors import active_credential
from registries.services import check_registry
from registries.upstream.client import upstream_client
from registries.upstream.target import upstream_target
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.certificates import Authority
from tests.support.servers.check_places import (
    BODY,
    LOGIN,
    NO_WAY,
    READABLE,
    UNREADABLE,
    Places,
)

WRONG = (LOGIN[0], "wrong-password-41aa")


@dataclass(frozen=True)
class Situation:
    """A place, what is tried there, and what comes of it.

    ``place`` is one of ``Places``; an ``impatient`` check waits for half a second.
    """

    name: str
    place: str
    outcome: str
    problem: str | None
    words: str
    login: tuple[str, str] = LOGIN
    image: str = ""
    impatient: bool = False
    trusts_realm: bool = True


# A table is read by its lines.
# fmt: off
SITUATIONS = [
    # A registry that asks for Basic.
    Situation("right password", "basic", "valid", None, "Signed in to"),
    Situation("right password, image", "basic", "valid", None,
              f"and found {READABLE}:v1", image=f"{READABLE}:v1"),
    Situation("wrong password", "basic", "rejected", "wrong_credential",
              "refused this username and password. Check both", WRONG),
    Situation("wrong password, image", "basic", "rejected", "wrong_credential",
              "refused this username and password", WRONG, f"{READABLE}:v1"),
    Situation("no such tag", "basic", "repository_denied", "no_such_image",
              f"there is no {READABLE}:v9", image=f"{READABLE}:v9"),
    Situation("no such repository", "basic", "repository_denied", "no_such_image",
              "there is no nope:latest", image="nope"),
    # One with a token service.
    Situation("token", "token", "valid", None, "Signed in to"),
    Situation("token, image", "token", "valid", None,
              f"and found {READABLE}:v1", image=f"{READABLE}:v1"),
    Situation("token, wrong password", "token", "rejected", "wrong_credential",
              "refused this username and password", WRONG),
    Situation("token without access", "token", "repository_denied", "no_access",
              f"may not read {UNREADABLE}", image=f"{UNREADABLE}:v1"),
    Situation("own token service not trusted", "token", "upstream_error",
              "realm_not_trusted", "enter it as the trusted token realm",
              trusts_realm=False),
    Situation("token service of strangers", "strange realm", "upstream_error",
              "realm_not_trusted", "'https://auth.example.org/token'"),
    # One that asks for nothing.
    Situation("open", "open", "valid", None, "answers without asking for a login"),
    # Limits.
    Situation("429 with Retry-After", "limited", "rate_limited", "rate_limited",
              "(status 429). Try again in 17 seconds."),
    Situation("429 without", "limited no time", "rate_limited", "rate_limited",
              "(status 429). Try again later."),
    # No connection.
    Situation("closed port", "closed", "unreachable", "connection_refused",
              "it refused the connection. Check the port"),
    Situation("no such name", "no name", "unreachable", "name_not_found",
              "its name does not resolve. Check the spelling"),
    Situation("no way there", "no way", "unreachable", "no_connection",
              "no connection could be made. Check the host"),
    Situation("private address", "private", "unreachable", "address_not_public",
              "its address is not public. Berth connects to registries on the public"),
    # TLS.
    Situation("good certificate", "tls", "valid", None, "Signed in to"),
    Situation("good certificate, wrong password", "tls", "rejected",
              "wrong_credential", "refused this username and password", WRONG),
    Situation("self-signed", "tls self-signed", "unreachable", "tls",
              "Renew or replace the certificate: self-signed certificate."),
    Situation("expired", "tls expired", "unreachable", "tls",
              "Renew or replace the certificate: certificate has expired."),
    Situation("of another host", "tls other host", "unreachable", "tls",
              "certificate is not valid for '127.0.0.1'."),
    Situation("no TLS on the port", "http for https", "unreachable", "tls",
              "it does not speak TLS. Check the port"),
    Situation("TLS where none was expected", "https for http", "upstream_error",
              "not_a_registry", "does not speak the registry API (status 400"),
    # No answer in time.
    Situation("hangs at once", "silent", "unreachable", "timeout",
              "did not answer in time. Check the host", impatient=True),
    Situation("hangs in the handshake", "silent tls", "unreachable", "timeout",
              "did not answer in time", impatient=True),
    Situation("hangs in the headers", "half headers", "unreachable", "timeout",
              "did not answer in time", impatient=True),
    Situation("drips headers for ever", "drips", "unreachable", "timeout",
              "did not answer in time", impatient=True),
    # Other answers.
    Situation("500 with a page", "500", "upstream_error", "fault",
              "answered with status 500. Try again later"),
    Situation("502 with a page", "502", "upstream_error", "fault",
              "answered with status 502. Try again later"),
    Situation("hangs up", "hangs up", "upstream_error", "fault",
              "broke the connection"),
    Situation("hangs up in the headers", "hangs up in headers", "upstream_error",
              "fault", "broke the connection"),
    Situation("speaks something else", "ssh", "upstream_error", "fault",
              "broke the connection"),
    Situation("asks without saying how", "no challenge", "upstream_error", "fault",
              "asks to sign in without saying how"),
    Situation("redirects for ever", "loop", "upstream_error", "fault",
              "redirected too many times"),
    Situation("web page", "page", "upstream_error", "not_a_registry",
              "(status 200 for /v2/). It may be a web page"),
    Situation("web page of another kind", "page 404", "upstream_error",
              "not_a_registry", "(status 404 for /v2/). It may be a web page"),
]
# fmt: on
NEEDED = {"valid": 1, "rejected": 2, "repository_denied": 2}  # others: 3


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    directory = tmp_path_factory.mktemp("places")
    places = Places(Authority(directory))
    with ExitStack() as stack:
        places.start(stack, directory)
        yield places


@pytest.fixture
def places(running: Places, settings: Any) -> Places:
    settings.BERTH_INSECURE_REGISTRIES = running.without_tls
    allowed = settings.BERTH_ALLOWED_PRIVATE_NETWORKS
    settings.BERTH_ALLOWED_PRIVATE_NETWORKS = [*allowed, ip_network(NO_WAY)]
    return running


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


def connect(vendor: Vendor, places: Places, at: Situation) -> ExternalRegistry:
    registry = vendor.connect(
        places.endpoints[at.place],
        at.name.lower().replace(",", "").replace(" ", "-"),
        at.login,
        trusted_realm=places.realm_host if at.trusts_realm else "",
    )
    registry.test_image = at.image
    registry.save()
    return registry


@pytest.mark.parametrize(
    "at", [pytest.param(situation, id=situation.name) for situation in SITUATIONS]
)
def test_outcome(at: Situation, places: Places, vendor: Vendor, settings: Any) -> None:
    if at.impatient:
        settings.BERTH_UPSTREAM_CONNECT_SECONDS = 0.25
        settings.BERTH_UPSTREAM_READ_SECONDS = 0.25
    target = upstream_target(active_credential(connect(vendor, places, at)))
    image = parse_reference(at.image) if at.image else None

    async def check() -> CheckResult:
        tls = places.authority.client_context()
        async with upstream_client(tls=tls) as client:
            return await check_credential(target, image, client)

    result = asyncio.run(check())

    assert result.outcome == at.outcome
    assert (result.problem.value if result.problem else None) == at.problem
    assert at.words in result.detail
    assert places.endpoints[at.place] in result.detail
    assert result.detail.endswith(".")
    for hidden in (LOGIN[1], WRONG[1], BODY):
        assert hidden not in repr(result)
    asked_to_wait = timedelta(seconds=17) if at.place == "limited" else None
    assert result.retry_after == asked_to_wait


def test_all_outcomes_and_all_problems_are_in_the_table() -> None:
    outcomes = {at.outcome for at in SITUATIONS}
    problems = {at.problem for at in SITUATIONS}

    assert outcomes == {outcome.value for outcome in Outcome}
    # not_let_in is what Azure's firewall does: see test_provider_logins.py.
    assert problems - {None} == {problem.value for problem in Problem} - {"not_let_in"}


@pytest.mark.parametrize(
    "name",
    ["right password, image", "wrong password", "token without access", "self-signed"],
)
def test_the_button_writes_down_what_came_of_it(
    name: str, places: Places, vendor: Vendor
) -> None:
    (at,) = [situation for situation in SITUATIONS if situation.name == name]
    registry = connect(vendor, places, at)

    result = check_registry(actor=vendor.actor, registry=registry)

    assert result.outcome == at.outcome
    written = CredentialCheck.objects.get()
    assert (written.registry, written.outcome) == (registry, at.outcome)
    assert written.http_status == result.http_status
    assert (written.detail, at.words in written.detail) == (result.detail, True)


def check_all(number: int) -> dict[str, str]:
    """Have the queue check all registries once; return their states by slug."""
    ExternalRegistry.objects.update(next_check_at=timezone.now())
    assert check_due_registries() == number
    return dict(ExternalRegistry.objects.values_list("slug", "health"))


def test_states_need_as_many_checks_as_their_outcomes(
    places: Places, vendor: Vendor, settings: Any
) -> None:
    settings.BERTH_CHECKS_PER_HOST = 100
    # Those whose certificate no system trusts, and those that only cost time, are out.
    shown = [
        at
        for at in SITUATIONS
        if not at.impatient and at.place not in {"tls", "tls expired"}
    ]
    slugs = {connect(vendor, places, at).slug: at for at in shown}

    states: dict[str, str] = {}
    for times in (1, 2, 3):
        states = check_all(len(shown))

        for slug, state in states.items():
            outcome = slugs[slug].outcome
            expected = outcome if times >= NEEDED.get(outcome, 3) else ""
            assert (slug, state) == (slug, expected)

    assert CredentialCheck.objects.count() == 3 * len(shown)
    number = Alert.objects.count()
    assert number == sum(at.outcome != "valid" for at in shown)
    assert check_all(len(shown)) == states
    assert Alert.objects.count() == number
