from __future__ import annotations

import json
import subprocess
import uuid
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.exceptions import ImproperlyConfigured

from portal.crypto.pem import private_pem
from registries.providers.amazon.web_identity import (
    check_configuration,
    is_available,
    published_keys,
    trust_policy,
)
from tests.support.rows.identity_keys import ISSUER, new_key


@pytest.mark.parametrize("issuer", [ISSUER, "http://localhost", "http://localhost:80"])
def test_an_issuer_that_can_be_one(issuer: str, settings: Any) -> None:
    settings.BERTH_ISSUER_URL = issuer
    settings.BERTH_IDENTITY_KEYS = new_key()

    check_configuration()

    assert is_available()


@pytest.mark.parametrize(
    "issuer",
    [
        "portal.example.com",
        "http://portal.example.com",
        "https://portal.example.com/",
        "https://portal.example.com/berth",
        "https://portal.example.com:8443",
        "https://portal.example.com?a=b",
        "https://user@portal.example.com",
        "https://",
        "https://localhost:8000",
    ],
)
def test_an_issuer_that_cannot_be_one_stops_the_process(
    issuer: str, settings: Any
) -> None:
    settings.BERTH_ISSUER_URL = issuer

    with pytest.raises(
        ImproperlyConfigured, match="BERTH_ISSUER_URL must be https://HOST"
    ):
        check_configuration()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    "keys",
    [
        "x",
        private_pem(RSA),
        private_pem(ec.generate_private_key(ec.SECP384R1())),
        new_key() + private_pem(RSA),
        new_key().replace("M", "N", 1).replace("A", "B", 20),
    ],
    ids=["text", "rsa", "p-384", "one of two", "broken"],
)
def test_keys_that_cannot_be_used_stop_the_process(keys: str, settings: Any) -> None:
    settings.BERTH_IDENTITY_KEYS = keys

    with pytest.raises(ImproperlyConfigured) as caught:
        check_configuration()

    assert str(caught.value).startswith("BERTH_IDENTITY_KEYS must contain only P-256")
    assert "BEGIN" not in str(caught.value)


def test_without_either_setting_berth_is_no_issuer(settings: Any) -> None:
    for issuer, keys in (("", new_key()), (ISSUER, ""), ("", "")):
        settings.BERTH_ISSUER_URL, settings.BERTH_IDENTITY_KEYS = issuer, keys

        check_configuration()

        assert not is_available()


def test_a_key_made_as_the_documentation_says(settings: Any) -> None:
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt"]
    made = subprocess.run(
        [*command, "ec_paramgen_curve:P-256"], check=True, capture_output=True
    )
    settings.BERTH_IDENTITY_KEYS = made.stdout.decode() + new_key()

    check_configuration()

    assert len({key["kid"] for key in published_keys()["keys"]}) == 2


def test_the_trust_policy_names_issuer_audience_and_team(settings: Any) -> None:
    settings.BERTH_ISSUER_URL = ISSUER
    team_id = uuid.UUID("0192d3a4-0000-7000-8000-000000000001")

    policy = json.loads(trust_policy(team_id, "123456789012", "aws-cn"))

    assert policy["Version"] == "2012-10-17"
    (statement,) = policy["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Principal"] == {
        "Federated": "arn:aws-cn:iam::123456789012:oidc-provider/portal.example.com"
    }
    assert statement["Condition"] == {
        "StringEquals": {
            "portal.example.com:aud": "sts.amazonaws.com",
            "portal.example.com:sub": f"team:{team_id}",
        }
    }
