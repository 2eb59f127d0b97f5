"""Berth as an issuer, read as a cloud would read it: from the outside."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from django.test import Client

from registries.providers.amazon.web_identity import identity_token, subject
from teams.models import Team
from tests.support.rows.identity_keys import ISSUER, new_key

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/.well-known/jwks.json"


@pytest.fixture
def issuer(settings: Any) -> str:
    settings.BERTH_ISSUER_URL = ISSUER
    settings.BERTH_IDENTITY_KEYS = new_key()
    settings.ALLOWED_HOSTS = ["portal.example.com"]
    return ISSUER


def fetched(address: str) -> Any:
    """Get a document over the Internet, as far as a test has one."""
    parts = urlsplit(address)
    response = Client().get(parts.path, headers={"host": parts.netloc}, secure=True)
    assert response.status_code == 200, address
    return json.loads(response.content)


def verified(text: str) -> dict[str, Any]:
    """Check a token as OpenID Connect Core 3.1.3.7 tells a relying party to."""
    discovery = fetched(f"{ISSUER}{DISCOVERY}")
    assert discovery["issuer"] == ISSUER
    keys = jwt.PyJWKSet.from_dict(fetched(discovery["jwks_uri"]))
    key = keys[jwt.get_unverified_header(text)["kid"]]
    return jwt.decode(
        text,
        key,
        algorithms=discovery["id_token_signing_alg_values_supported"],
        audience="sts.amazonaws.com",
        issuer=discovery["issuer"],
        options={"require": ["iss", "sub", "aud", "iat", "exp", "jti"]},
    )


def test_the_discovery_document_has_what_iam_asks_for(
    issuer: str, client: Client
) -> None:
    response = client.get(DISCOVERY, headers={"host": "portal.example.com"})

    assert response.json() == {
        "issuer": ISSUER,
        "jwks_uri": f"{ISSUER}{JWKS}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["iss", "sub", "aud", "iat", "exp", "jti"],
    }


@pytest.mark.parametrize("path", [DISCOVERY, JWKS])
def test_anybody_may_read_and_keep_them(path: str, issuer: str, client: Client) -> None:
    response = client.get(path, headers={"host": "portal.example.com"})

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert "Cookie" not in response.headers.get("Vary", "")
    assert not response.cookies
    assert client.post(path, headers={"host": "portal.example.com"}).status_code == 405


@pytest.mark.parametrize("path", [DISCOVERY, JWKS])
@pytest.mark.parametrize("missing", ["BERTH_ISSUER_URL", "BERTH_IDENTITY_KEYS"])
def test_they_are_not_there_if_berth_is_no_issuer(
    path: str, missing: str, issuer: str, settings: Any, client: Client
) -> None:
    setattr(settings, missing, "")

    response = client.get(path, headers={"host": "portal.example.com"})

    assert response.status_code == 404


def test_a_third_party_can_verify_a_token(issuer: str, team: Team) -> None:
    text = identity_token(team.pk).reveal()

    claims = verified(text)

    assert claims["sub"] == f"team:{team.pk}"
    assert claims["exp"] - claims["iat"] == 300
    assert jwt.get_unverified_header(text)["alg"] == "ES256"
    assert team.slug not in json.dumps(claims)
    assert verified(identity_token(team.pk).reveal())["jti"] != claims["jti"]


def test_teams_have_different_subjects_that_outlive_their_slugs(
    issuer: str, team: Team, other_team: Team
) -> None:
    before = verified(identity_token(team.pk).reveal())["sub"]
    team.slug, other_team.slug = "acme-old", team.slug
    team.save()
    other_team.save()

    assert verified(identity_token(team.pk).reveal())["sub"] == before
    assert verified(identity_token(other_team.pk).reveal())["sub"] != before
    assert subject(other_team.pk) == f"team:{other_team.pk}"


def test_only_public_parts_of_the_keys_are_published(issuer: str) -> None:
    (key,) = fetched(f"{ISSUER}{JWKS}")["keys"]

    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (key["kty"], key["crv"]) == ("EC", "P-256")
    assert (key["use"], key["alg"]) == ("sig", "ES256")


def test_keys_are_replaced_without_a_gap(
    issuer: str, settings: Any, team: Team
) -> None:
    old = settings.BERTH_IDENTITY_KEYS
    new = new_key()
    signed_by_old = identity_token(team.pk).reveal()

    settings.BERTH_IDENTITY_KEYS = old + new  # all know the new one
    known = verified(identity_token(team.pk).reveal())
    still_old = jwt.get_unverified_header(identity_token(team.pk).reveal())["kid"]
    settings.BERTH_IDENTITY_KEYS = new + old  # the new one signs
    signed_by_new = identity_token(team.pk).reveal()

    assert known["sub"] == subject(team.pk)
    assert still_old == jwt.get_unverified_header(signed_by_old)["kid"]
    assert jwt.get_unverified_header(signed_by_new)["kid"] != still_old
    assert verified(signed_by_new) != verified(signed_by_old)
    settings.BERTH_IDENTITY_KEYS = new
    with pytest.raises(KeyError, match=still_old):
        verified(signed_by_old)
    assert verified(signed_by_new)["sub"] == subject(team.pk)
