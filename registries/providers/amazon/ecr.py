"""Amazon ECR: an access key or a role gets passwords that are valid for 12 hours."""

from __future__ import annotations

import re

from registries.providers.amazon import login as aws
from registries.providers.amazon.errors import POLICY
from registries.providers.problems import Problem
from registries.providers.provider import AuthType, Provider

_ACCESS_KEY_ID = re.compile(r"AKIA[A-Z0-9]{16}")
_ROLE_ARN = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):iam::[0-9]{12}:role/[\w+=,.@/-]{1,576}", re.ASCII
)


def _key_mistakes(username: str, _secret: str) -> dict[str, str]:
    if _ACCESS_KEY_ID.fullmatch(username):
        return {}
    if username.startswith("ASIA"):
        return {
            "username": "This is a temporary key, which expires within hours. Create "
            "an access key of an IAM user; its ID begins with AKIA."
        }
    return {
        "username": "Not a valid access key ID: it is AKIA and 16 capital letters and "
        "digits, such as AKIAIOSFODNN7EXAMPLE."
    }


def _role_mistakes(username: str, _secret: str) -> dict[str, str]:
    if _ROLE_ARN.fullmatch(username):
        return {}
    return {
        "username": "Not a valid ARN of an IAM role. Copy it from the page of the "
        "role; it looks like arn:aws:iam::123456789012:role/berth."
    }


ECR = Provider(
    name="ecr",
    title="Amazon ECR",
    auth_types=(
        AuthType(
            "access_key",
            "Access key",
            username_label="Access key ID",
            secret_label="Secret access key",
            username_help="Looks like AKIAIOSFODNN7EXAMPLE.",
            mistakes=_key_mistakes,
            make_login=aws.by_access_key,
        ),
        AuthType(
            "iam_role",
            "IAM role",
            username_label="Role ARN",
            username_help="Looks like arn:aws:iam::123456789012:role/berth.",
            has_secret=False,
            trusts_berth=True,
            guide="registries/amazon-ecr-role/",
            mistakes=_role_mistakes,
            make_login=aws.by_role,
        ),
    ),
    endpoint_pattern=aws.ENDPOINT,
    endpoint_example="123456789012.dkr.ecr.eu-central-1.amazonaws.com",
    endpoint_help="The first part of the repository's URI in the ECR console, without "
    "the repository.",
    help=(
        (
            "Access key: in IAM, create a user without console access, attach "
            f"the policy {POLICY}, and create an access key."
        ),
        (
            "IAM role: in IAM, add this installation as an OpenID Connect identity "
            "provider, and create a role for web identity that trusts your team's "
            f"subject and has the policy {POLICY}. Nothing secret is stored."
        ),
        "Berth uses it to get ECR's passwords, which last 12 hours, and renews them.",
    ),
    help_url="https://docs.aws.amazon.com/AmazonECR/latest/userguide/"
    "registry_auth.html",
    guide="registries/amazon-ecr-key/",
    test_help="AWS accepts any key that may get a password: only an image shows what "
    "it may read.",
    meanings={
        Problem.WRONG_CREDENTIAL: "AWS issued this password a moment ago. Check that "
        "the key or the role still exists, and that the endpoint is in its partition.",
        Problem.NO_ACCESS: "In AWS, allow ecr:BatchGetImage and "
        "ecr:GetDownloadUrlForLayer on this repository: in the policy of the user or "
        "role and, if the repository is in another account, in its policy too.",
        Problem.RATE_LIMITED: "AWS limits requests per account and region.",
    },
)
