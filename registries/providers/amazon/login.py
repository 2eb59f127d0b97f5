"""Gets ECR's password for an access key or a role, with Amazon's own library.

Its requests bypass the address guard, because vendors cannot choose the host: it
follows from a region of a known form. See ADR 0024.
"""

from __future__ import annotations

import base64
import re
import threading
from contextlib import closing
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from portal.crypto.secrets import Secret
from registries.providers.amazon import errors as aws_errors
from registries.providers.amazon import web_identity
from registries.providers.problems import Problem
from registries.providers.provider import LoginNotMade, StoredLogin, TemporaryLogin

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

# China's hosts end in .cn, and nobody else's do.
ENDPOINT = re.compile(
    r"[0-9]{12}\.dkr\.ecr(?:-fips)?\."
    r"(?:(?P<region>(?!cn-)[a-z]{2}(?:-gov)?-[a-z]+-[0-9]{1,2})\.amazonaws\.com"
    r"|(?P<china>cn-[a-z]+-[0-9]{1,2})\.amazonaws\.com\.cn)"
)
# The minimum that AWS allows; Berth makes only one more request.
_ROLE_SECONDS = 900


def by_access_key(login: StoredLogin) -> TemporaryLogin:
    """Return ECR's password for an access key.

    Raises:
        LoginNotMade: AWS refused, or could not be reached.
    """
    with aws_errors.translated(aws_errors.OF_ACCESS_KEYS):
        return _ecr_login(_region(login), login.username, login.secret.reveal())


def by_role(login: StoredLogin) -> TemporaryLogin:
    """Return ECR's password for a role that trusts Berth to act for the team.

    Raises:
        LoginNotMade: AWS refused or could not be reached, or this installation does
            not issue identity tokens.
    """
    if not web_identity.is_available():
        raise LoginNotMade(
            Problem.FAULT,
            "This installation cannot assume roles: its operator has not set "
            "BERTH_ISSUER_URL and BERTH_IDENTITY_KEYS.",
            "Use an access key, or ask the operator to set them.",
        )
    with aws_errors.translated(aws_errors.of_trust(login.team_id)):
        keys = _assume_role(login)
    with aws_errors.translated(aws_errors.OF_ROLES):
        return _ecr_login(
            _region(login),
            keys["AccessKeyId"],
            keys["SecretAccessKey"],
            keys["SessionToken"],
        )


def partition(endpoint: str) -> str:
    """Return the AWS partition of an endpoint, as in ARNs."""
    if endpoint.endswith(".cn"):
        return "aws-cn"
    return "aws-us-gov" if ".us-gov-" in endpoint else "aws"


def _region(login: StoredLogin) -> str:
    match = ENDPOINT.fullmatch(login.endpoint)
    if match is None:
        raise LoginNotMade(
            Problem.WRONG_CREDENTIAL, f"{login.endpoint} is not an Amazon ECR endpoint."
        )
    return match["region"] or match["china"]


def _assume_role(login: StoredLogin) -> CredentialsTypeDef:
    from botocore import UNSIGNED  # see _session

    with _creation_lock:
        client = _session().client(
            "sts", _region(login), config=_config(signature_version=UNSIGNED)
        )
    with closing(client):
        answer = client.assume_role_with_web_identity(
            RoleArn=login.username,
            RoleSessionName=f"berth-{login.team_id}",
            WebIdentityToken=web_identity.identity_token(login.team_id).reveal(),
            DurationSeconds=_ROLE_SECONDS,
        )
    return answer["Credentials"]


def _ecr_login(
    region: str, key_id: str, secret: str, session_token: str | None = None
) -> TemporaryLogin:
    with _creation_lock:
        client = _session().client(
            "ecr",
            region,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=session_token,
            config=_config(),
        )
    with closing(client):
        answer = client.get_authorization_token()
    (entry,) = answer["authorizationData"]
    return _temporary_login(entry["authorizationToken"], entry["expiresAt"])


def _temporary_login(token: str, expires_at: datetime) -> TemporaryLogin:
    pair = base64.b64decode(token, validate=True).decode("ascii")
    username, _, password = pair.partition(":")
    seconds = (expires_at - timezone.now()).total_seconds()
    return TemporaryLogin(username, Secret(password), seconds)


# Threads may use clients concurrently, but must not create them concurrently.
_creation_lock = threading.Lock()


@cache
def _session() -> boto3.Session:
    """Return the session that creates all clients; hold ``_creation_lock``.

    The first client of each service takes 50 ms, because it reads the description of
    AWS's API; later ones take 2 ms.
    """
    # Importing it takes a third of a second, and is irrelevant unless you use ECR.
    import boto3

    return boto3.Session()


def _config(**values: Any) -> Any:
    from botocore.config import Config  # see _session

    return Config(
        connect_timeout=settings.BERTH_UPSTREAM_CONNECT_SECONDS,
        read_timeout=settings.BERTH_UPSTREAM_READ_SECONDS,
        retries={"total_max_attempts": 2, "mode": "standard"},
        **values,
    )
