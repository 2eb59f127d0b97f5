"""ECR from the vendor's entry to a manifest: moto makes the passwords, a registry with
ECR's documented challenge takes them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from oci.reference import parse_reference
from portal.crypto.secrets import Secret
from registries.checks.attempt import CheckResult, check_credential
from registries.models import Credential, ExternalRegistry
from registries.models.health import Outcome
from registries.providers.problems import Problem
from registries.upstream.client import UpstreamClient, UpstreamRequest, upstream_client
from registries.upstream.errors import CredentialRejected, RepositoryDenied
from registries.upstream.target import UpstreamTarget, upstream_target
from tests.support.rows.identity_keys import ISSUER, new_key
from tests.support.servers.aws import (
    ACCOUNT,
    ENDPOINT,
    KEY_ID,
    ROLE,
    SECRET,
    FakeAws,
    fake_aws,
    moto_server,
)
from tests.support.servers.provider_server import (
    ProviderServer,
    Registry,
    errors,
    provider_server,
)

IMAGE = "acme/api:v1"
# What moto gives out: by the account that asks.
MOTO_PASSWORD = f"{ACCOUNT}-auth-token"
MOTO_ROLE_PASSWORD = "210987654321-auth-token"


def registry_taking(password: str) -> Registry:
    """Return ECR as it was seen.

    The challenge: mayflower/docker-ls#28. A repository that is not for the account:
    awslabs/amazon-ecr-credential-helper#49, a DENIED that names the action.
    """
    return Registry(
        host=ENDPOINT,
        login=("AWS", password),
        repository="acme/api",
        challenge=f'Basic realm="https://{ENDPOINT}/",service="ecr.amazonaws.com"',
        wrong_login=errors(401, "UNAUTHORIZED", "Not Authorized"),
        no_access=errors(403, "DENIED", "is not authorized: ecr:BatchGetImage"),
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderServer]:
    with provider_server(tmp_path_factory.mktemp("certificates"), ENDPOINT) as server:
        yield server


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto_server(tmp_path_factory.mktemp("moto")) as address:
        yield address


def _use(address: str, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", address)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", address)
    settings.BERTH_ISSUER_URL = ISSUER
    settings.BERTH_IDENTITY_KEYS = new_key()


@pytest.fixture
def by_moto(moto: str, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    _use(moto, monkeypatch, settings)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[FakeAws]:
    with fake_aws() as server:
        _use(server.address, monkeypatch, settings)
        yield server


def target(auth_type: str) -> UpstreamTarget:
    """Return what a vendor's registry comes to, of rows that are not stored."""
    team_id = uuid.UUID("0192d3a4-0000-7000-8000-000000000001")
    is_key = auth_type == "access_key"
    registry = ExternalRegistry(team_id=team_id, provider="ecr", endpoint=ENDPOINT)
    return upstream_target(
        Credential(
            team_id=team_id,
            registry=registry,
            auth_type=auth_type,
            username=Secret(KEY_ID if is_key else ROLE),
            secret=Secret(SECRET if is_key else ""),
        )
    )


@dataclass
class Bench:
    server: ProviderServer

    def tried(self, target: UpstreamTarget, image: str = IMAGE) -> CheckResult:
        async def run() -> CheckResult:
            async with self._client() as client:
                return await check_credential(target, parse_reference(image), client)

        return asyncio.run(run())

    def pulls(self, target: UpstreamTarget, *repositories: str) -> list[object]:
        """Pull one after another as one edge, and return statuses and refusals."""

        async def run() -> list[object]:
            async with self._client() as client:
                return [await _pull(client, target, name) for name in repositories]

        return asyncio.run(run())

    def _client(self) -> Any:
        return upstream_client(self.server.resolver(), self.server.tls)


async def _pull(
    client: UpstreamClient, target: UpstreamTarget, repository: str
) -> object:
    path, scope = f"/v2/{repository}/manifests/v1", f"repository:{repository}:pull"
    try:
        response = await client.open(target, UpstreamRequest("GET", path, scope, {}))
    except (RepositoryDenied, CredentialRejected) as error:
        return type(error)
    response.close()
    return response.status


@pytest.fixture
def bench(running: ProviderServer) -> Bench:
    return Bench(running)


@pytest.mark.parametrize(
    ("auth_type", "password"),
    [("access_key", MOTO_PASSWORD), ("iam_role", MOTO_ROLE_PASSWORD)],
)
def test_a_check_signs_in_and_finds_the_image(
    auth_type: str, password: str, by_moto: None, bench: Bench
) -> None:
    bench.server.speak(registry_taking(password))

    result = bench.tried(target(auth_type))

    assert result.detail == f"Signed in to {ENDPOINT} and found {IMAGE}."
    assert (result.outcome, result.problem) == (Outcome.VALID, None)
    assert {seen.host for seen in bench.server.requests} == {ENDPOINT}


def test_a_denied_repository_is_reported_with_the_permissions_it_needs(
    by_moto: None, bench: Bench
) -> None:
    bench.server.speak(registry_taking(MOTO_PASSWORD))

    result = bench.tried(target("access_key"), "secret/other:v1")

    assert result.outcome is Outcome.REPOSITORY_DENIED
    assert result.problem is Problem.NO_ACCESS
    assert "ecr:BatchGetImage and ecr:GetDownloadUrlForLayer" in result.detail


def test_a_password_that_ecr_does_not_take_is_rejected(
    by_moto: None, bench: Bench
) -> None:
    bench.server.speak(registry_taking("another-password"))

    result = bench.tried(target("access_key"))

    assert result.outcome is Outcome.REJECTED
    assert result.problem is Problem.WRONG_CREDENTIAL
    assert "AWS issued this password a moment ago" in result.detail
    assert MOTO_PASSWORD not in repr(result)


@pytest.mark.parametrize(
    ("auth_type", "action", "code", "outcome", "words"),
    [
        (
            *("access_key", "GetAuthorizationToken", "UnrecognizedClientException"),
            *(Outcome.REJECTED, "AWS does not know this access key ID. The key may"),
        ),
        (
            *("access_key", "GetAuthorizationToken", "AccessDeniedException"),
            *(Outcome.REJECTED, "AmazonEC2ContainerRegistryPullOnly to its IAM user."),
        ),
        (
            *("access_key", "GetAuthorizationToken", "ThrottlingException"),
            *(Outcome.RATE_LIMITED, "Too many requests"),
        ),
        (
            *("iam_role", "AssumeRoleWithWebIdentity", "AccessDenied"),
            *(Outcome.REJECTED, "Its trust policy must allow"),
        ),
        (
            *("iam_role", "AssumeRoleWithWebIdentity", "IDPCommunicationError"),
            *(Outcome.UPSTREAM_ERROR, "could not read the keys of this installation"),
        ),
    ],
)
def test_what_aws_refuses_is_the_outcome_of_the_check(
    auth_type: str,
    action: str,
    code: str,
    outcome: Outcome,
    words: str,
    aws: FakeAws,
    bench: Bench,
) -> None:
    aws.refuses = {action: (400, code, "x")}
    bench.server.speak(registry_taking(aws.password))

    result = bench.tried(target(auth_type))

    assert result.outcome is outcome
    assert words in result.detail
    assert "AWS issued this password" not in result.detail
    assert bench.server.logins() == set()


def test_a_password_is_kept_for_all_pulls(aws: FakeAws, bench: Bench) -> None:
    bench.server.speak(registry_taking(aws.password))

    statuses = bench.pulls(target("iam_role"), *["acme/api"] * 3)

    assert statuses == [200] * 3
    assert aws.actions() == ["AssumeRoleWithWebIdentity", "GetAuthorizationToken"]


def test_a_password_is_renewed_before_it_ends(aws: FakeAws, bench: Bench) -> None:
    bench.server.speak(registry_taking(aws.password))
    aws.seconds = 1.2

    statuses = bench.pulls(target("access_key"), *["acme/api"] * 2)

    assert statuses == [200] * 2
    # Each pull asks for one when the one before, good for a moment yet, is not used.
    assert len(aws.asked) > 1


def test_other_versions_of_a_credential_have_passwords_of_their_own(
    aws: FakeAws, bench: Bench
) -> None:
    bench.server.speak(registry_taking(aws.password))

    async def run() -> None:
        async with bench._client() as client:
            for _ in range(2):
                for version in (target("access_key"), target("access_key")):
                    assert await _pull(client, version, "acme/api") == 200

    asyncio.run(run())
    # Four rows that were not stored have four IDs.
    assert len(aws.asked) == 4


def test_a_check_never_uses_a_kept_password(aws: FakeAws, bench: Bench) -> None:
    bench.server.speak(registry_taking(aws.password))
    one = target("access_key")

    for count in (1, 2, 3):
        assert bench.tried(one).outcome is Outcome.VALID
        assert len(aws.asked) == count


@pytest.mark.parametrize("status", [401, 403])
def test_a_kept_password_that_ends_early_is_replaced(
    status: int, aws: FakeAws, bench: Bench
) -> None:
    """ECR says "Your authorization token has expired", DENIED: aws/aws-cli#6580."""
    ended = errors(status, "DENIED", "Your authorization token has expired.")
    first = dataclasses.replace(registry_taking(aws.password), wrong_login=ended)

    async def run() -> list[object]:
        bench.server.speak(first)
        one = target("access_key")
        async with bench._client() as client:
            results = [await _pull(client, one, "acme/api")]
            aws.password = "the-next-password"
            bench.server.speak(dataclasses.replace(first, login=("AWS", aws.password)))
            return [
                *results,
                *[await _pull(client, one, "acme/api") for _ in range(3)],
            ]

    if status == 401:
        assert asyncio.run(run()) == [200, 200, 200, 200]
        assert len(aws.asked) == 2
    else:
        # It may be the repository: its pulls must not make a new login each time.
        assert asyncio.run(run()) == [200, *[RepositoryDenied] * 3]
        assert len(aws.asked) == 1


def test_a_pull_without_a_login_is_refused_and_retried(
    aws: FakeAws, bench: Bench
) -> None:
    bench.server.speak(registry_taking(aws.password))
    aws.refuses = {"GetAuthorizationToken": (400, "AccessDeniedException", "x")}
    one = target("access_key")

    refused = bench.pulls(one, "acme/api", "acme/api")
    aws.refuses = {}

    assert refused == [CredentialRejected] * 2
    assert bench.pulls(one, "acme/api") == [200]
