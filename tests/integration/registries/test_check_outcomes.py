"""What a check comes to, each outcome brought about by a real process.

The table is the whole list. What each provider says of its own is in
``test_provider_logins.py``; Amazon's logins are in ``test_ecr_checks.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from alerts.models import Alert
from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import start_registry
from oci.reference import parse_reference
from registries.check_queue import check_due_registries
from registries.checks import CheckResult, attempt
from registries.health import Outcome
from registries.models import CredentialCheck, ExternalRegistry
from registries.problems import Problem
from registries.selectors import active_credential
from registries.services import try_registry
from registries.upstream import upstream_client
from registries.upstream_target import upstream_target
from tests.support.canned_server import (
    STRANGE_REALM,
    Answer,
    canned_server,
    silent_server,
)
from tests.support.certificates import Authority
from tests.support.check_places import (
    LOGIN,
    READABLE,
    UNREADABLE,
    basic_registry,
    raw_server,
    tls_registry,
    token_registry,
)
from tests.support.vendor import Vendor, create_vendor

WRONG = (LOGIN[0], "wrong-password-41aa")
NO_WAY = "255.255.255.255"
HTML = {"Content-Type": "text/html"}
PAGE = b"<html><h1>Internal detail 7b1f</h1></html>"


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


@dataclass
class Places:
    """Where the situations are: endpoints by name."""

    authority: Authority
    endpoints: dict[str, str] = field(default_factory=dict)
    realm_host: str = ""

    @property
    def without_tls(self) -> list[str]:
        """All but those that are told by https."""
        by_https = ("tls", "no name", "private", "http for https", "silent tls")
        return [
            endpoint
            for name, endpoint in self.endpoints.items()
            if not name.startswith(by_https)
        ]

    def start(self, stack: ExitStack, directory: Path) -> None:
        self._start_registries(stack, directory)
        self._start_others(stack)
        closed = f"127.0.0.1:{free_port()}"
        self.endpoints |= {
            "closed": closed,
            "no name": "registry.invalid",
            "private": "10.0.0.1",
            # The broadcast address: Linux opens no connection to it.
            "no way": f"{NO_WAY}:5000",
        }

    def _start_registries(self, stack: ExitStack, directory: Path) -> None:
        issue = self.authority.issue
        basic = stack.enter_context(basic_registry(directory / "basic"))
        (directory / "token").mkdir()
        token, self.realm_host = stack.enter_context(
            token_registry(directory / "token")
        )
        port = free_port()
        stack.enter_context(start_registry(directory / "open", port))
        self.endpoints |= {
            "basic": basic,
            "token": token,
            "open": f"127.0.0.1:{port}",
            # Under this name it is not known to be without TLS.
            "http for https": basic.replace("127.0.0.1", "localhost"),
        }
        certificates = {
            "tls": issue("127.0.0.1"),
            "tls self-signed": issue("127.0.0.1", self_signed=True),
            "tls expired": issue("127.0.0.1", expired=True),
            "tls other host": issue("registry.example.com"),
            "https for http": issue("127.0.0.1"),
        }
        for name, certificate in certificates.items():
            self.endpoints[name] = stack.enter_context(
                tls_registry(directory / name.replace(" ", "-"), certificate)
            )

    def _start_others(self, stack: ExitStack) -> None:
        answers = {
            "strange realm": Answer(401, STRANGE_REALM),
            "limited": Answer(429, {"Retry-After": "17"}),
            "limited no time": Answer(429),
            "500": Answer(500, HTML, PAGE),
            "502": Answer(502, HTML, PAGE),
            "no challenge": Answer(401),
            "loop": Answer(302, {"Location": "/v2/"}),
            "page": Answer(200, HTML, PAGE),
            "page 404": Answer(404, HTML, PAGE),
        }
        for name, answer in answers.items():
            self.endpoints[name] = stack.enter_context(canned_server({"/": answer}))
        for name in ("silent", "silent tls"):
            self.endpoints[name] = stack.enter_context(silent_server())
        start = b"HTTP/1.1 200 OK\r\n"
        raw = {
            "half headers": raw_server(start + b"Content-", hang_up=False),
            "drips": raw_server(start, b"X-Line: x\r\n", hang_up=False),
            "hangs up": raw_server(b"", hang_up=True),
            "hangs up in headers": raw_server(start + b"Content-", hang_up=True),
            "ssh": raw_server(b"SSH-2.0-OpenSSH_9.2\r\n", hang_up=True),
        }
        for name, server in raw.items():
            self.endpoints[name] = stack.enter_context(server)


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
    "at", [pytest.param(each, id=each.name) for each in SITUATIONS]
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
            return await attempt(target, image, client)

    result = asyncio.run(check())

    assert result.outcome == at.outcome
    assert (result.problem.value if result.problem else None) == at.problem
    assert at.words in result.detail
    assert places.endpoints[at.place] in result.detail
    assert result.detail.endswith(".")
    for hidden in (LOGIN[1], WRONG[1], "7b1f"):
        assert hidden not in repr(result)
    asked_to_wait = timedelta(seconds=17) if at.place == "limited" else None
    assert result.retry_after == asked_to_wait


def test_all_outcomes_and_all_problems_are_in_the_table() -> None:
    outcomes = {at.outcome for at in SITUATIONS}
    problems = {at.problem for at in SITUATIONS}

    assert outcomes == {each.value for each in Outcome}
    # not_let_in is what Azure's firewall does: see test_provider_logins.py.
    assert problems - {None} == {each.value for each in Problem} - {"not_let_in"}


@pytest.mark.parametrize(
    "name",
    ["right password, image", "wrong password", "token without access", "self-signed"],
)
def test_the_button_writes_down_what_came_of_it(
    name: str, places: Places, vendor: Vendor
) -> None:
    (at,) = [each for each in SITUATIONS if each.name == name]
    registry = connect(vendor, places, at)

    result = try_registry(actor=vendor.actor, registry=registry)

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

    for times in (1, 2, 3):
        states = check_all(len(shown))

        for slug, state in states.items():
            outcome = slugs[slug].outcome
            expected = outcome if times >= NEEDED.get(outcome, 3) else ""
            assert (slug, state) == (slug, expected)

    assert CredentialCheck.objects.count() == 3 * len(shown)
    told = Alert.objects.count()
    assert told == sum(at.outcome != "valid" for at in shown)
    assert check_all(len(shown)) == states
    assert Alert.objects.count() == told


class Upstream:
    """Debian's docker-registry on one port, with the password of the day."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = free_port()
        self._process: ManagedProcess | None = None
        self.endpoint = f"127.0.0.1:{self._port}"

    def start(self, password: str) -> None:
        self.stop()
        self._process = start_registry(
            self._directory, self._port, htpasswd=(LOGIN[0], password)
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None


@pytest.fixture
def upstream(tmp_path: Path, settings: Any) -> Iterator[Upstream]:
    found = Upstream(tmp_path / "registry")
    settings.BERTH_INSECURE_REGISTRIES = [found.endpoint]
    found.start(LOGIN[1])
    yield found
    found.stop()


def check() -> ExternalRegistry:
    check_all(1)
    return ExternalRegistry.objects.get()


def told() -> list[str]:
    return [each.event for each in Alert.objects.order_by("created_at")]


def test_a_registry_goes_away_comes_back_and_changes_its_password(
    upstream: Upstream, vendor: Vendor
) -> None:
    vendor.connect(upstream.endpoint, "sample", LOGIN)
    well = check()
    assert (well.health, told()) == ("valid", [])

    upstream.stop()
    for failures in (1, 2):
        found = check()
        assert (found.health, found.health_since) == ("valid", well.health_since)
        assert (found.suspect, found.failures) == ("unreachable", failures)
    gone = check()
    assert (gone.health, told()) == ("unreachable", ["registry.unreachable"])
    assert gone.health_since == gone.health_checked_at
    assert check().health_since == gone.health_since

    upstream.start(WRONG[1])
    found = check()
    assert (found.health, found.suspect) == ("unreachable", "rejected")
    assert found.health_since == gone.health_since
    refused = check()
    assert (refused.health, refused.suspect) == ("rejected", "rejected")
    assert refused.health_since == refused.health_checked_at
    assert check().health_since == refused.health_since

    upstream.start(LOGIN[1])
    again = check()
    assert (again.health, again.suspect, again.failures) == ("valid", "", 0)
    assert again.health_since == again.health_checked_at
    assert told() == [
        "registry.unreachable",
        "registry.rejected",
        "registry.recovered",
    ]


def test_one_bad_answer_is_forgotten_after_a_good_one(
    upstream: Upstream, vendor: Vendor
) -> None:
    vendor.connect(upstream.endpoint, "sample", LOGIN)
    since = check().health_since

    for _ in range(2):
        upstream.start(WRONG[1])
        assert check().suspect == "rejected"
        upstream.start(LOGIN[1])
        found = check()
        assert (found.health, found.suspect) == ("valid", "")

    assert found.health_since == since
    assert told() == []
