"""What Amazon's API refuses, and what the vendor is told of it.

The codes are those of the API references of ECR and STS, and of "Common errors" there.
AWS's own sentences are not passed on: some quote what was sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings

from registries.providers.amazon import web_identity
from registries.providers.problems import Problem
from registries.providers.provider import LoginNotMade

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

POLICY = "AmazonEC2ContainerRegistryPullOnly"


class Refusal(NamedTuple):
    problem: Problem
    fact: str
    advice: str = ""


Refusals = Mapping[str, Refusal]

_UNKNOWN_KEY = Refusal(
    Problem.WRONG_CREDENTIAL,
    "AWS does not know this access key ID.",
    "The key may have been deleted or made inactive, or the account has not enabled "
    "the region of this endpoint. Check it, or create a new access key.",
)
_WRONG_SECRET = Refusal(
    Problem.WRONG_CREDENTIAL,
    "AWS says that the secret access key does not belong to this access key ID.",
    "Copy both again, or create a new access key.",
)
_KEY_WITHOUT_RIGHT = Refusal(
    Problem.NOT_LET_IN,
    "AWS knows this access key, but does not let it call ecr:GetAuthorizationToken.",
    f"Attach the policy {POLICY} to its IAM user.",
)
_ROLE_WITHOUT_RIGHT = Refusal(
    Problem.NOT_LET_IN,
    "Berth may assume this role, but the role may not call ecr:GetAuthorizationToken.",
    f"Attach the policy {POLICY} to the role.",
)
_ROLE_NOT_TAKEN_HERE = Refusal(
    Problem.NOT_LET_IN,
    "Berth may assume this role, but ECR does not take its temporary keys.",
    "Check that the role's account has enabled the region of this endpoint.",
)
_NO_ROLE = Refusal(
    Problem.WRONG_CREDENTIAL,
    "AWS does not take this role ARN.",
    "Copy it again from the page of the role.",
)
_NO_STS = Refusal(
    Problem.NOT_LET_IN,
    "The role's account has not activated STS in the region of this endpoint.",
    "Activate it in IAM, Account settings.",
)
_TOO_OFTEN = Refusal(Problem.RATE_LIMITED, "AWS was asked too often.")
_WRONG_CLOCK = Refusal(
    Problem.FAULT, "AWS finds that the clock of this installation is wrong."
)
_ISSUER_NOT_READ = Refusal(
    Problem.FAULT,
    "AWS could not read the keys of this installation, whose operator should see that "
    "its issuer is open to the Internet.",
)

_OF_ANYBODY: Refusals = {
    **dict.fromkeys(
        (
            *("Throttling", "ThrottlingException", "ThrottledException"),
            *("RequestLimitExceeded", "TooManyRequestsException", "SlowDown"),
        ),
        _TOO_OFTEN,
    ),
    **dict.fromkeys(("RequestExpired", "RequestTimeTooSkewed"), _WRONG_CLOCK),
}
OF_ACCESS_KEYS: Refusals = {
    **_OF_ANYBODY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "InvalidSignatureException": _WRONG_SECRET,
    "SignatureDoesNotMatch": _WRONG_SECRET,
    "AccessDenied": _KEY_WITHOUT_RIGHT,
    "AccessDeniedException": _KEY_WITHOUT_RIGHT,
}
OF_ROLES: Refusals = {
    **_OF_ANYBODY,
    "InvalidClientTokenId": _ROLE_NOT_TAKEN_HERE,
    "UnrecognizedClientException": _ROLE_NOT_TAKEN_HERE,
    "ExpiredToken": _WRONG_CLOCK,
    "ExpiredTokenException": _WRONG_CLOCK,
    "AccessDenied": _ROLE_WITHOUT_RIGHT,
    "AccessDeniedException": _ROLE_WITHOUT_RIGHT,
}


def of_trust(team_id: uuid.UUID) -> Refusals:
    """Return what STS refuses when Berth wants to assume a role for a team."""
    issuer = settings.BERTH_ISSUER_URL
    audience, subject = web_identity.AUDIENCE, web_identity.subject(team_id)
    not_trusted = Refusal(
        Problem.NOT_LET_IN,
        "AWS does not let Berth assume this role, or there is no such role.",
        f"Its trust policy must allow sts:AssumeRoleWithWebIdentity to the identity "
        f"provider {issuer} with the audience {audience} and the subject {subject}.",
    )
    no_provider = Refusal(
        Problem.NOT_LET_IN,
        "AWS does not take Berth's identity token.",
        f"In IAM of the role's account, add an OpenID Connect identity provider with "
        f"the URL {issuer} and the audience {audience}.",
    )
    return {
        **_OF_ANYBODY,
        "AccessDenied": not_trusted,
        "AccessDeniedException": not_trusted,
        "InvalidIdentityToken": no_provider,
        "IDPRejectedClaim": no_provider,
        "IDPCommunicationError": _ISSUER_NOT_READ,
        "ExpiredToken": _WRONG_CLOCK,
        "ExpiredTokenException": _WRONG_CLOCK,
        "RegionDisabledException": _NO_STS,
        "ValidationError": _NO_ROLE,
    }


@contextmanager
def told(refusals: Refusals) -> Iterator[None]:
    """Raise LoginNotMade for whatever Amazon's library raises inside the block."""
    # Not above: importing it takes long, which is nothing for who has no ECR.
    from botocore import exceptions, parsers

    try:
        yield
    except exceptions.ClientError as error:
        raise LoginNotMade(*_refusal(error, refusals)) from error
    except (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError) as error:
        raise LoginNotMade(Problem.TIMEOUT, "AWS did not answer in time.") from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        raise LoginNotMade(
            Problem.NO_CONNECTION,
            "AWS could not be reached.",
            "Whoever operates this installation should see that it reaches AWS.",
        ) from error
    except (
        *(exceptions.BotoCoreError, parsers.ResponseParserError),
        *(KeyError, ValueError),
    ) as error:
        raise LoginNotMade(Problem.FAULT, "AWS gave an answer of no use.") from error


def _refusal(error: ClientError, refusals: Refusals) -> Refusal:
    told_by_aws = error.response.get("Error", {})
    code = str(told_by_aws.get("Code", ""))
    message = str(told_by_aws.get("Message", ""))
    # Two codes that each stand for faults of two sides.
    if code == "InvalidSignatureException" and _is_about_time(message):
        return _WRONG_CLOCK
    if code == "InvalidIdentityToken" and "verification key" in message:
        return _ISSUER_NOT_READ
    if code in refusals:
        return refusals[code]
    return Refusal(Problem.FAULT, f"AWS answered with the error {code[:60]!r}.")


def _is_about_time(message: str) -> bool:
    # "Signature expired: … is now earlier than …", "Signature not yet current: …"
    return message.startswith(("Signature expired", "Signature not yet current"))
