from __future__ import annotations

import pytest

from registries.providers.amazon.ecr import ECR
from registries.providers.amazon.login import ENDPOINT


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com", "eu-central-1"),
        ("123456789012.dkr.ecr.ap-southeast-12.amazonaws.com", "ap-southeast-12"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ],
)
def test_endpoints_and_their_regions(endpoint: str, region: str) -> None:
    match = ENDPOINT.fullmatch(endpoint)

    assert ECR.has_endpoint(endpoint)
    assert match is not None
    assert (match["region"] or match["china"]) == region


@pytest.mark.parametrize(
    "endpoint",
    [
        "dkr.ecr.eu-central-1.amazonaws.com",
        "12345.dkr.ecr.eu-central-1.amazonaws.com",
        # Regions that would lead elsewhere: somebody else's bucket, other clouds.
        "123456789012.dkr.ecr.s3.amazonaws.com",
        "123456789012.dkr.ecr.us-iso-east-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-central-1.evil.amazonaws.com",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.example",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com.cn",
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com:8443",
        "public.ecr.aws",
    ],
)
def test_invalid_endpoints(endpoint: str) -> None:
    assert not ECR.has_endpoint(endpoint)


def mistakes(auth_type: str, username: str) -> dict[str, str]:
    kind = ECR.auth_type(auth_type)
    assert kind is not None
    return kind.mistakes(username, "secret")


def test_an_access_key_id_is_akia_and_sixteen_more() -> None:
    assert mistakes("access_key", "AKIAIOSFODNN7EXAMPLE") == {}
    for wrong in ("AKIAIOSFODNN7", "akiaiosfodnn7example", "AIDAIOSFODNN7EXAMPLE", "x"):
        assert "Not a valid access key ID" in mistakes("access_key", wrong)["username"]


def test_a_temporary_key_is_rejected_with_advice() -> None:
    message = mistakes("access_key", "ASIAIOSFODNN7EXAMPLE")["username"]

    assert message.startswith("This is a temporary key")
    assert "Create an access key of an IAM user" in message


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::123456789012:role/berth",
        "arn:aws:iam::123456789012:role/service/pull/berth.prod+1=a,b@c_d-e",
        "arn:aws-cn:iam::123456789012:role/berth",
        "arn:aws-us-gov:iam::123456789012:role/berth",
    ],
)
def test_arns_of_roles(arn: str) -> None:
    assert mistakes("iam_role", arn) == {}


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::123456789012:user/berth",
        "arn:aws:sts::123456789012:assumed-role/berth/session",
        "arn:aws:iam::12345:role/berth",
        "arn:evil:iam::123456789012:role/berth",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/berth\n",
        "arn:aws:iam::123456789012:role/bérth",
        "berth",
    ],
)
def test_invalid_role_arns(arn: str) -> None:
    assert "Not a valid ARN of an IAM role" in mistakes("iam_role", arn)["username"]
