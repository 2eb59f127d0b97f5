"""Every provider's documented login, against its own host names on this machine.

Amazon is missing: its passwords are made, not entered.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from oci.reference import parse_reference
from portal.crypto.secrets import Secret
from registries.checks.attempt import CheckResult, check_credential
from registries.models import ExternalRegistry
from registries.models.health import Outcome
from registries.providers import PROVIDERS
from registries.providers.problems import Problem
from registries.services import NewCredential, NewRegistry, draft_registry
from registries.upstream.client import UpstreamRequest, upstream_client
from registries.upstream.errors import RepositoryDenied
from registries.upstream.target import UpstreamTarget, upstream_target
from teams.actors import Actor
from teams.models import Team
from tests.support.servers.canned_server import Answer
from tests.support.servers.provider_registries import (
    ACR,
    CASES,
    DOCKERHUB,
    DOCKERHUB_OFFICIAL,
    GAR,
    GHCR,
    GITLAB,
    NEXUS,
    OWN_GITLAB,
    SECRET,
    ProviderCase,
)
from tests.support.servers.provider_server import (
    ProviderServer,
    Registry,
    errors,
    provider_server,
)

each_provider = pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name) for case in CASES]
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderServer]:
    hosts = {
        host.partition(":")[0] for case in CASES for host in case.registry.hosts
    } | {"collector.example.org"}
    directory = tmp_path_factory.mktemp("certificates")
    with provider_server(directory, *sorted(hosts)) as server:
        yield server


@dataclass
class Bench:
    """A vendor's team, and the server that plays the registries."""

    actor: Actor
    team: Team
    server: ProviderServer

    def target(
        self, case: ProviderCase, secret: str = "", trusted_realm: str | None = None
    ) -> UpstreamTarget:
        """Return the target of a vendor's entries; nothing is stored or sent."""
        realm = case.trusted_realm if trusted_realm is None else trusted_realm
        new = NewRegistry(
            provider=case.provider,
            endpoint=case.endpoint,
            credential=NewCredential(
                case.auth_type,
                case.username,
                Secret(secret or case.registry.login[1]),
            ),
            trusted_realm=realm,
        )
        draft = draft_registry(actor=self.actor, team=self.team, new=new)
        return upstream_target(draft)

    def tried(
        self, target: UpstreamTarget, image: str = "", registry: Registry | None = None
    ) -> CheckResult:
        if registry is not None:
            self.server.speak(registry)
        reference = parse_reference(image) if image else None

        async def run() -> CheckResult:
            resolver, tls = self.server.resolver(), self.server.tls
            async with upstream_client(resolver, tls) as client:
                return await check_credential(target, reference, client)

        return asyncio.run(run())


@pytest.fixture
def bench(actor: Actor, team: Team, running: ProviderServer) -> Bench:
    return Bench(actor, team, running)


def image_of(case: ProviderCase) -> str:
    return f"{case.image or case.registry.repository}:v1"


def test_every_provider_but_amazon_is_here() -> None:
    assert {case.provider for case in CASES} == set(PROVIDERS) - {"ecr"}


@each_provider
def test_a_right_login_is_valid(case: ProviderCase, bench: Bench) -> None:
    target = bench.target(case)

    signed_in = bench.tried(target, registry=case.registry)
    looked_up = bench.tried(target, image_of(case))

    assert (signed_in.outcome, signed_in.problem) == (Outcome.VALID, None)
    assert signed_in.detail == f"Signed in to {case.endpoint}."
    assert looked_up.outcome is Outcome.VALID
    assert (
        looked_up.detail == f"Signed in to {case.endpoint} and found {image_of(case)}."
    )
    last = bench.server.requests[-1]
    assert (last.method, last.host) == ("HEAD", case.registry.host)
    assert last.path == f"/v2/{case.registry.repository}/manifests/v1"


@each_provider
def test_a_wrong_login_is_rejected_in_the_providers_own_words(
    case: ProviderCase, bench: Bench
) -> None:
    target = bench.target(case, secret=case.wrong_secret)

    for image in ("", image_of(case)):
        result = bench.tried(target, image, case.registry)

        assert result.outcome is Outcome.REJECTED
        assert result.problem is Problem.WRONG_CREDENTIAL
        assert result.http_status == case.registry.wrong_login.status
        start = f"The registry {case.endpoint} refused this username and password. "
        assert result.detail.startswith(start)
        assert case.rejected in result.detail


@each_provider
def test_a_repository_without_access_is_denied_in_the_providers_own_words(
    case: ProviderCase, bench: Bench
) -> None:
    target = bench.target(case)

    result = bench.tried(target, "secret/other:v1", case.registry)

    assert result.outcome is Outcome.REPOSITORY_DENIED
    assert result.problem is Problem.NO_ACCESS
    assert result.is_only_about_the_image
    start = f"Signed in to {case.endpoint}, but this account may not read secret/other,"
    assert result.detail.startswith(start)
    assert case.denied in result.detail


@each_provider
def test_a_missing_tag_is_reported(case: ProviderCase, bench: Bench) -> None:
    image = image_of(case).replace(":v1", ":v9")

    result = bench.tried(bench.target(case), image, case.registry)

    assert result.problem is Problem.NO_SUCH_IMAGE
    assert image in result.detail


@each_provider
def test_the_login_goes_to_the_provider_and_nowhere_else(
    case: ProviderCase, bench: Bench
) -> None:
    registry = case.registry
    for secret in (registry.login[1], case.wrong_secret):
        bench.tried(bench.target(case, secret=secret), image_of(case), registry)

        seen = bench.server.requests
        assert {request.host for request in seen} <= registry.hosts
        with_password = {
            request.host
            for request in seen
            if request.authorization.startswith("Basic ")
        }
        assert with_password == {registry.realm_host or registry.host}
        with_token = {
            request.host
            for request in seen
            if request.authorization.startswith("Bearer ")
        }
        assert with_token <= {registry.host}


@each_provider
def test_a_realm_of_strangers_gets_nothing(case: ProviderCase, bench: Bench) -> None:
    # As a registry that was broken into would ask, or one behind a hostile proxy.
    stranger = 'Bearer realm="https://collector.example.org/token",service="s"'
    hostile = dataclasses.replace(case.registry, challenge=stranger)

    result = bench.tried(bench.target(case), image_of(case), hostile)

    assert result.outcome is Outcome.UPSTREAM_ERROR
    assert result.problem is Problem.REALM_NOT_TRUSTED
    assert "https://collector.example.org/token" in result.detail
    assert [request.host for request in bench.server.requests] == [case.registry.host]
    assert bench.server.logins() == set()


def test_a_gitlab_whose_token_service_is_elsewhere_needs_it_trusted(
    bench: Bench,
) -> None:
    untrusted = bench.target(OWN_GITLAB, trusted_realm="")

    result = bench.tried(untrusted, registry=OWN_GITLAB.registry)

    assert result.problem is Problem.REALM_NOT_TRUSTED
    assert "'https://gitlab.acme.example.net/jwt/auth'" in result.detail
    assert "the host of your GitLab" in result.detail
    assert bench.server.logins() == set()
    trusted = bench.tried(bench.target(OWN_GITLAB), registry=OWN_GITLAB.registry)
    assert trusted.outcome is Outcome.VALID


def test_no_other_provider_trusts_docker_hubs_token_service(bench: Bench) -> None:
    challenge = DOCKERHUB.registry.challenge
    for case in (GITLAB, ACR, NEXUS):
        other = dataclasses.replace(case.registry, challenge=challenge)

        result = bench.tried(bench.target(case), registry=other)

        assert result.problem is Problem.REALM_NOT_TRUSTED
        assert bench.server.logins() == set()


def test_azures_firewall_is_distinguished_from_a_wrong_password(bench: Bench) -> None:
    # learn.microsoft.com/azure/container-registry/container-registry-access-selected-
    # networks: a blocked client gets a 403 before any challenge.
    answer = errors(403, "DENIED", "client with IP '192.0.2.1' is not allowed access")
    closed = dataclasses.replace(ACR.registry, first=answer)

    result = bench.tried(bench.target(ACR), registry=closed)

    assert result.outcome is Outcome.REPOSITORY_DENIED
    assert (result.problem, result.http_status) == (Problem.NOT_LET_IN, 403)
    assert "firewall blocks the address of this installation" in result.detail
    assert bench.server.logins() == set()


def test_docker_hubs_limit_is_no_fault_of_the_login(bench: Bench) -> None:
    # docs.docker.com/docker-hub/usage/pulls: a 429, "toomanyrequests", at the manifest.
    answer = errors(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.")
    limited = dataclasses.replace(DOCKERHUB.registry, no_access=answer, no_token=None)

    result = bench.tried(bench.target(DOCKERHUB), "busy/api:v1", limited)

    assert result.outcome is Outcome.RATE_LIMITED
    assert result.problem is Problem.RATE_LIMITED
    assert "a paid subscription raises or lifts the limit" in result.detail
    assert result.retry_after is None


def test_a_gitlab_token_without_the_scope_for_registries_is_rejected(
    bench: Bench,
) -> None:
    # auth/container_registry_authentication_service.rb: DENIED, 403, for the login too.
    answer = errors(403, "DENIED", "access forbidden")
    registry = dataclasses.replace(GITLAB.registry, wrong_login=answer)

    result = bench.tried(bench.target(GITLAB, secret="glpat-x"), registry=registry)

    assert (result.outcome, result.http_status) == (Outcome.REJECTED, 403)
    assert "lacks read_registry" in result.detail


def test_a_github_token_the_registry_itself_refuses(bench: Bench) -> None:
    # renovatebot/renovate#11446: a 403 with no challenge, where others have a 401.
    closed = dataclasses.replace(GHCR.registry, first=errors(403, "DENIED", "denied"))

    result = bench.tried(bench.target(GHCR), registry=closed)

    assert result.problem is Problem.NOT_LET_IN
    assert "lacks read:packages" in result.detail


async def pulled(bench: Bench, target: UpstreamTarget, repository: str) -> int:
    """Return the status that the edge gets for a manifest."""
    path, scope = f"/v2/{repository}/manifests/v1", f"repository:{repository}:pull"
    request = UpstreamRequest("GET", path, scope, {})
    async with upstream_client(bench.server.resolver(), bench.server.tls) as client:
        response = await client.open(target, request)
        response.close()
        return response.status


def test_a_pull_uses_the_same_login(bench: Bench) -> None:
    bench.server.speak(DOCKERHUB_OFFICIAL.registry)
    target = bench.target(DOCKERHUB_OFFICIAL)

    assert asyncio.run(pulled(bench, target, "library/nginx")) == 200
    assert {host for host, _ in bench.server.logins()} == {
        "registry-1.docker.io",
        "auth.docker.io",
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_pull_of_what_the_account_may_not_read_is_no_bad_credential(
    case: ProviderCase, bench: Bench
) -> None:
    """Otherwise customers would ask their vendor to replace a valid credential."""
    bench.server.speak(case.registry)
    target = bench.target(case)

    if case.registry.realm:
        with pytest.raises(RepositoryDenied):
            asyncio.run(pulled(bench, target, "secret/other"))


def test_secrets_are_in_no_answer(bench: Bench) -> None:
    for case in CASES:
        for secret in (case.registry.login[1], case.wrong_secret):
            target = bench.target(case, secret=secret)
            for image in (image_of(case), "secret/other:v1"):
                result = bench.tried(target, image, case.registry)

                assert SECRET not in repr(result)
                assert secret not in repr(result)
                assert secret not in repr(target)


def test_a_token_service_that_answers_with_a_page_is_a_fault(bench: Bench) -> None:
    page = Answer(502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>")
    broken = dataclasses.replace(GAR.registry, no_token=page)

    result = bench.tried(bench.target(GAR), "secret/other:v1", broken)

    assert result.outcome is Outcome.UPSTREAM_ERROR
    assert result.problem is Problem.FAULT
    assert "token service with no usable answer (status 502)" in result.detail
    assert "gateway" not in result.detail
    assert not ExternalRegistry.objects.exists()
