"""What Amazon's API is asked, and what the vendor is told of its answers."""

from __future__ import annotations

import contextlib
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest

from deploy.local.process import free_port
from portal.crypto.secrets import Secret
from registries.providers import LoginNotMade, StoredLogin, TemporaryLogin
from registries.providers.amazon.ecr import ECR
from registries.providers.problems import Problem
from tests.support.rows.identity_keys import ISSUER, new_key
from tests.support.servers.aws import (
    DAY_HALF,
    ENDPOINT,
    KEY_ID,
    ROLE,
    SECRET,
    SESSION_TOKEN,
    TEMPORARY_KEY_ID,
    TEMPORARY_SECRET,
    FakeAws,
    fake_aws,
)
from tests.support.servers.canned_server import silent_server

TEAM = uuid.UUID("0192d3a4-0000-7000-8000-000000000001")
ECR_ACTION = "GetAuthorizationToken"
STS_ACTION = "AssumeRoleWithWebIdentity"


@pytest.fixture(scope="module")
def running() -> Iterator[FakeAws]:
    with fake_aws() as server:
        yield server


@pytest.fixture
def aws(
    running: FakeAws, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> Iterator[FakeAws]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", running.address)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", running.address)
    settings.BERTH_ISSUER_URL = ISSUER
    settings.BERTH_IDENTITY_KEYS = new_key()
    running.forget()
    yield running
    running.refuses, running.body, running.redirects_to = {}, {}, ""
    running.seconds = DAY_HALF


def by_key(secret: str = SECRET) -> TemporaryLogin:
    return _made("access_key", KEY_ID, secret)


def by_role(team_id: uuid.UUID = TEAM) -> TemporaryLogin:
    return _made("iam_role", ROLE, "", team_id)


def _made(
    name: str, username: str, secret: str, team_id: uuid.UUID = TEAM
) -> TemporaryLogin:
    auth_type = ECR.auth_type(name)
    assert auth_type is not None
    assert auth_type.make_login is not None
    return auth_type.make_login(
        StoredLogin(team_id, ENDPOINT, username, Secret(secret))
    )


def refusal(make: Callable[[], TemporaryLogin]) -> LoginNotMade:
    with pytest.raises(LoginNotMade) as caught:
        make()
    return caught.value


def test_an_access_key_gives_ecrs_password(aws: FakeAws) -> None:
    login = by_key()

    assert (login.username, login.password.reveal()) == ("AWS", aws.password)
    assert DAY_HALF - 60 < login.seconds <= DAY_HALF
    (asked,) = aws.asked
    assert asked.action == ECR_ACTION
    assert asked.signed_by == KEY_ID
    assert "/eu-central-1/ecr/aws4_request" in asked.headers["authorization"]
    assert "x-amz-security-token" not in asked.headers


def test_a_role_is_assumed_for_the_team_and_asks_for_the_password(
    aws: FakeAws,
) -> None:
    login = by_role()

    assert (login.username, login.password.reveal()) == ("AWS", aws.password)
    assumed, asked = aws.asked
    assert assumed.parameters["RoleArn"] == ROLE
    assert assumed.parameters["RoleSessionName"] == f"berth-{TEAM}"
    assert assumed.parameters["DurationSeconds"] == "900"
    claims = jwt.decode(
        assumed.parameters["WebIdentityToken"], options={"verify_signature": False}
    )
    assert claims["sub"] == f"team:{TEAM}"
    assert "authorization" not in assumed.headers
    assert asked.signed_by == TEMPORARY_KEY_ID
    assert asked.headers["x-amz-security-token"] == SESSION_TOKEN


def test_credentials_of_the_machine_are_never_used_for_a_vendor(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_aws() as metadata:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.address)
        by_role()
        by_key()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTHEMACHINE0000")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-machine")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "session-of-the-machine")
        monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/machine")
        by_role()
        by_key()

        assert metadata.asked == []
    one_round = [STS_ACTION, ECR_ACTION, ECR_ACTION]
    assert aws.actions() == one_round * 2
    assert {asked.signed_by for asked in aws.asked} == {"", TEMPORARY_KEY_ID, KEY_ID}
    for asked in aws.asked:
        sent = repr((asked.parameters, asked.headers))
        assert "OFTHEMACHINE" not in sent
        assert "of-the-machine" not in sent
        assert "999999999999" not in sent


def test_a_password_that_has_already_ended_is_told_as_such(aws: FakeAws) -> None:
    aws.seconds = -100.0

    assert by_key().seconds < 0


KEY_REFUSALS = [
    ("UnrecognizedClientException", Problem.WRONG_CREDENTIAL, "not know this access"),
    ("InvalidClientTokenId", Problem.WRONG_CREDENTIAL, "not know this access key ID"),
    ("InvalidSignatureException", Problem.WRONG_CREDENTIAL, "secret access key does"),
    ("SignatureDoesNotMatch", Problem.WRONG_CREDENTIAL, "secret access key does not"),
    ("AccessDeniedException", Problem.NOT_LET_IN, "to its IAM user"),
    ("ThrottlingException", Problem.RATE_LIMITED, "Too many requests"),
    ("TooManyRequestsException", Problem.RATE_LIMITED, "Too many requests"),
    ("RequestExpired", Problem.FAULT, "clock of this installation"),
    ("ServerException", Problem.FAULT, "'ServerException'"),
    ("SomethingNew", Problem.FAULT, "'SomethingNew'"),
]


@pytest.mark.parametrize(("code", "problem", "words"), KEY_REFUSALS)
def test_what_ecr_refuses_an_access_key(
    code: str, problem: Problem, words: str, aws: FakeAws
) -> None:
    status = 500 if code == "ServerException" else 400
    aws.refuses = {ECR_ACTION: (status, code, "words of AWS: 5e1f")}

    why = refusal(by_key)

    assert why.problem is problem
    assert words in f"{why.fact} {why.advice}"
    assert "words of AWS" not in f"{why.fact} {why.advice}"


@pytest.mark.parametrize(
    "when", ["Signature expired: 1 is", "Signature not yet current"]
)
def test_a_wrong_clock_is_no_wrong_secret(when: str, aws: FakeAws) -> None:
    aws.refuses = {ECR_ACTION: (400, "InvalidSignatureException", f"{when} …")}

    why = refusal(by_key)

    assert why.problem is Problem.FAULT
    assert "clock of this installation" in why.fact


TRUST_REFUSALS = [
    (
        ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
        (Problem.NOT_LET_IN, f"and the subject team:{TEAM}."),
    ),
    (
        ("InvalidIdentityToken", f"No OpenIDConnect provider found for {ISSUER}"),
        (Problem.NOT_LET_IN, f"the URL {ISSUER} and the audience sts.amazonaws.com"),
    ),
    (
        ("InvalidIdentityToken", "Incorrect token audience"),
        (Problem.NOT_LET_IN, "the audience sts.amazonaws.com"),
    ),
    (
        ("InvalidIdentityToken", "Couldn't retrieve verification key from your …"),
        (Problem.FAULT, "could not read the keys of this installation"),
    ),
    (
        ("IDPCommunicationError", "x"),
        (Problem.FAULT, "could not read the keys of this installation"),
    ),
    (("ExpiredTokenException", "x"), (Problem.FAULT, "clock of this installation")),
    (("ValidationError", "x"), (Problem.WRONG_CREDENTIAL, "rejects this role ARN")),
    (("RegionDisabledException", "x"), (Problem.NOT_LET_IN, "not activated STS")),
    (("Throttling", "Rate exceeded"), (Problem.RATE_LIMITED, "Too many requests")),
    (("InternalFailure", "x"), (Problem.FAULT, "'InternalFailure'")),
]


@pytest.mark.parametrize(("answer", "told"), TRUST_REFUSALS)
def test_what_sts_refuses(
    answer: tuple[str, str], told: tuple[Problem, str], aws: FakeAws
) -> None:
    aws.refuses = {STS_ACTION: (400, *answer)}

    why = refusal(by_role)

    assert why.problem is told[0]
    assert told[1] in f"{why.fact} {why.advice}"
    assert ECR_ACTION not in aws.actions()


@pytest.mark.parametrize(
    ("code", "problem", "words"),
    [
        ("AccessDeniedException", Problem.NOT_LET_IN, "to the role."),
        ("UnrecognizedClientException", Problem.NOT_LET_IN, "has enabled the region"),
        ("ExpiredTokenException", Problem.FAULT, "clock of this installation"),
    ],
)
def test_what_ecr_refuses_a_role(
    code: str, problem: Problem, words: str, aws: FakeAws
) -> None:
    aws.refuses = {ECR_ACTION: (400, code, "x")}

    why = refusal(by_role)

    assert why.problem is problem
    assert words in f"{why.fact} {why.advice}"


def test_a_throttled_request_is_tried_once_more(aws: FakeAws) -> None:
    aws.refuses = {ECR_ACTION: (400, "ThrottlingException", "x")}

    refusal(by_key)

    assert aws.actions() == [ECR_ACTION] * 2


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b'{"authorizationData": []}',
        b'{"authorizationData": [{"authorizationToken": "%%%", "expiresAt": 1}]}',
        b'{"authorizationData": [{"authorizationToken": "QVdTOng="}]}',
        b'{"authorizationData": [{"authorizationToken": "QQ==", "expiresAt": "x"}]}',
    ],
)
def test_an_answer_of_no_use_is_a_fault(body: bytes, aws: FakeAws) -> None:
    aws.body = {ECR_ACTION: body}

    why = refusal(by_key)

    assert (why.problem, why.fact) == (Problem.FAULT, "AWS gave an unusable answer.")


def test_a_redirect_is_not_followed(aws: FakeAws) -> None:
    with fake_aws() as elsewhere:
        aws.redirects_to = elsewhere.address

        for make in (by_key, by_role):
            assert refusal(make).problem is Problem.FAULT

        assert elsewhere.asked == []


def test_nobody_answers(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", f"http://127.0.0.1:{free_port()}")
    closed = refusal(by_key)
    settings.BERTH_UPSTREAM_READ_SECONDS = 0.1
    with silent_server() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", f"http://{endpoint}")
        silent = refusal(by_key)

    assert closed.problem is Problem.NO_CONNECTION
    assert "The operator must make sure" in closed.advice
    assert silent.problem is Problem.TIMEOUT


@pytest.mark.parametrize("missing", ["BERTH_ISSUER_URL", "BERTH_IDENTITY_KEYS"])
def test_without_an_issuer_no_role_is_assumed(
    missing: str, aws: FakeAws, settings: Any
) -> None:
    setattr(settings, missing, "")

    why = refusal(by_role)

    assert why.problem is Problem.FAULT
    assert "has not set BERTH_ISSUER_URL and BERTH_IDENTITY_KEYS" in why.fact
    assert aws.asked == []


def test_a_stored_endpoint_of_no_region_goes_nowhere(aws: FakeAws) -> None:
    auth_type = ECR.auth_type("access_key")
    assert auth_type is not None
    assert auth_type.make_login is not None
    make = auth_type.make_login

    login = StoredLogin(TEAM, "ecr.s3.amazonaws.com", KEY_ID, Secret(SECRET))

    assert refusal(lambda: make(login)).problem is Problem.WRONG_CREDENTIAL
    assert aws.asked == []


def test_nothing_secret_is_logged_not_even_for_debugging(
    aws: FakeAws, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    by_key()
    by_role()
    for action in (STS_ACTION, ECR_ACTION):
        aws.refuses = {action: (400, "AccessDenied", "x")}
        for make in (by_key, by_role):
            with contextlib.suppress(LoginNotMade):
                make()

    logged = " ".join(
        f"{record.getMessage()} {record.args} {record.exc_text}"
        for record in caplog.records
    )
    assert "urllib3" in {record.name.partition(".")[0] for record in caplog.records}
    tokens = [
        asked.parameters["WebIdentityToken"]
        for asked in aws.asked
        if "WebIdentityToken" in asked.parameters
    ]
    assert len(tokens) == 3
    for secret in (
        *(SECRET, TEMPORARY_SECRET, SESSION_TOKEN, aws.password, "QVdTOn"),
        *tokens,
    ):
        assert secret not in logged


def test_nothing_secret_is_in_what_is_told(aws: FakeAws) -> None:
    told = []
    for action in (STS_ACTION, ECR_ACTION):
        aws.refuses = {action: (400, "AccessDenied", f"{SECRET} {SESSION_TOKEN}")}
        told += [refusal(make) for make in (by_role,)]
    aws.refuses = {ECR_ACTION: (400, "x" * 100 + SECRET, SECRET)}
    told.append(refusal(by_key))

    for why in told:
        words = json.dumps([why.fact, why.advice, str(why), repr(why)])
        assert SECRET not in words
        assert SESSION_TOKEN not in words
