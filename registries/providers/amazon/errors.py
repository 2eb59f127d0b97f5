"""Errors of Amazon's API, and what the vendor reads instead.

The codes come from the API references of ECR and STS, including "Common errors".
AWS's own messages are not passed on, because some quote the request.
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
    "The key may have been deleted or deactivated, or the account has not enabled "
    "the region of this endpoint. Check it, or create a new access key.",
)
_WRONG_SECRET = Refusal(
    Problem.WRONG_CREDENTIAL,
    "The secret access key does not belong to this access key ID.",
    "Copy both again, or create a new access key.",
)
_KEY_WITHOUT_PERMISSION = Refusal(
    Problem.NOT_LET_IN,
    "This access key is valid, but may not call ecr:GetAuthorizationToken.",
    f"Attach the policy {POLICY} to its IAM user.",
)
_ROLE_WITHOUT_PERMISSION = Refusal(
    Problem.NOT_LET_IN,
    "Berth may assume this role, but the role may not call ecr:GetAuthorizationToken.",
    f"Attach the policy {POLICY} to the role.",
)
_ROLE_NOT_ACCEPTED_HERE = Refusal(
    Problem.NOT_LET_IN,
    "Berth may assume this role, but ECR rejects its temporary keys.",
    "Check that the role's account has enabled the region of this endpoint.",
)
_INVALID_ROLE = Refusal(
    Problem.WRONG_CREDENTIAL,
    "AWS rejects this role ARN.",
    "Copy it again from the page of the role.",
)
_STS_NOT_ACTIVE = Refusal(
    Problem.NOT_LET_IN,
    "The role's account has not activated STS in the region of this endpoint.",
    "Activate it in IAM, Account settings.",
)
_TOO_MANY_REQUESTS = Refusal(Problem.RATE_LIMITED, "Too many requests to AWS.")
_WRONG_CLOCK = Refusal(
    Problem.FAULT, "According to AWS, the clock of this installation is wrong."
)
_ISSUER_UNREACHABLE = Refusal(
    Problem.FAULT,
    "AWS could not read the keys of this installation. Its operator must make the "
    "issuer reachable from the Internet.",
)

_COMMON: Refusals = {
    **dict.fromkeys(
        (
            *("Throttling", "ThrottlingException", "ThrottledException"),
            *("RequestLimitExceeded", "TooManyRequestsException", "SlowDown"),
        ),
        _TOO_MANY_REQUESTS,
    ),
    **dict.fromkeys(("RequestExpired", "RequestTimeTooSkewed"), _WRONG_CLOCK),
}
OF_ACCESS_KEYS: Refusals = {
    **_COMMON,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "UnrecognizedClientException": _UNKNOWN_KEY,
    "InvalidSignatureException": _WRONG_SECRET,
    "SignatureDoesNotMatch": _WRONG_SECRET,
    "AccessDenied": _KEY_WITHOUT_PERMISSION,
    "AccessDeniedException": _KEY_WITHOUT_PERMISSION,
}
OF_ROLES: Refusals = {
    **_COMMON,
    "InvalidClientTokenId": _ROLE_NOT_ACCEPTED_HERE,
    "UnrecognizedClientException": _ROLE_NOT_ACCEPTED_HERE,
    "ExpiredToken": _WRONG_CLOCK,
    "ExpiredTokenException": _WRONG_CLOCK,
    "AccessDenied": _ROLE_WITHOUT_PERMISSION,
    "AccessDeniedException": _ROLE_WITHOUT_PERMISSION,
}


def of_trust(team_id: uuid.UUID) -> Refusals:
    """Return what the errors of STS mean when Berth assumes a role for a team."""
    issuer = settings.BERTH_ISSUER_URL
    audience, subject = web_identity.AUDIENCE, web_identity.subject(team_id)
    not_trusted = Refusal(
        Problem.NOT_LET_IN,
        "AWS does not let Berth assume this role, or the role does not exist.",
        f"Its trust policy must allow sts:AssumeRoleWithWebIdentity to the identity "
        f"provider {issuer} with the audience {audience} and the subject {subject}.",
    )
    no_provider = Refusal(
        Problem.NOT_LET_IN,
        "AWS rejects Berth's identity token.",
        f"In the IAM of the role's account, add an OpenID Connect identity provider "
        f"with the URL {issuer} and the audience {audience}.",
    )
    return {
        **_COMMON,
        "AccessDenied": not_trusted,
        "AccessDeniedException": not_trusted,
        "InvalidIdentityToken": no_provider,
        "IDPRejectedClaim": no_provider,
        "IDPCommunicationError": _ISSUER_UNREACHABLE,
        "ExpiredToken": _WRONG_CLOCK,
        "ExpiredTokenException": _WRONG_CLOCK,
        "RegionDisabledException": _STS_NOT_ACTIVE,
        "ValidationError": _INVALID_ROLE,
    }


@contextmanager
def translated(refusals: Refusals) -> Iterator[None]:
    """Raise LoginNotMade for every error of Amazon's library inside the block."""
    # Imported here because it is slow and irrelevant unless you use ECR.
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
            "The operator must make sure that this installation can reach AWS.",
        ) from error
    except (
        *(exceptions.BotoCoreError, parsers.ResponseParserError),
        *(KeyError, ValueError),
    ) as error:
        raise LoginNotMade(Problem.FAULT, "AWS gave an unusable answer.") from error


def _refusal(error: ClientError, refusals: Refusals) -> Refusal:
    details = error.response.get("Error", {})
    code = str(details.get("Code", ""))
    message = str(details.get("Message", ""))
    # These two codes each cover errors of either side.
    if code == "InvalidSignatureException" and _is_about_time(message):
        return _WRONG_CLOCK
    if code == "InvalidIdentityToken" and "verification key" in message:
        return _ISSUER_UNREACHABLE
    if code in refusals:
        return refusals[code]
    return Refusal(Problem.FAULT, f"AWS answered with the error {code[:60]!r}.")


def _is_about_time(message: str) -> bool:
    # "Signature expired: … is now earlier than …", "Signature not yet current: …"
    return message.startswith(("Signature expired", "Signature not yet current"))
