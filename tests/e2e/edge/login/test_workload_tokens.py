"""Pulls with a workload token as the password, from the edge as it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import jwt
import pytest

from deploy.local import images
from licenses.models import IdentityWorkload, IssuerKeys, TrustedIdentity
from licenses.services import revoke_license
from licenses.services.identities import remove_trusted_identity
from registries.models import PullEvent
from tests.e2e.conftest import Upstream
from tests.e2e.edge.conftest import eventually
from tests.support.clients.edge import EdgeClient
from tests.support.issuers.token_issuer import TokenIssuer, new_key, token_issuer
from tests.support.rows.identities import trusted
from tests.support.rows.vendor import Vendor


@pytest.fixture
def issuer() -> Iterator[TokenIssuer]:
    with token_issuer() as running:
        yield running


@pytest.fixture
def name(connected: Vendor, basic_upstream: Upstream) -> str:
    images.push_image(
        basic_upstream.url,
        "my-org/secretless",
        "v1",
        auth=basic_upstream.login,
        layers=[images.tar_layer({"a": b"a"})],
    )
    return f"proxy/{connected.application.slug}/sample/my-org/secretless"


@pytest.fixture
def identity(connected: Vendor, issuer: TokenIssuer) -> TrustedIdentity:
    return trusted(connected.license(), issuer, uploaded=False)


def test_skopeo_pulls_with_a_service_accounts_token(
    edge: EdgeClient,
    identity: TrustedIdentity,
    issuer: TokenIssuer,
    name: str,
    tmp_path: Path,
) -> None:
    token = issuer.service_account("prod", "api", "node-7")

    copy = edge.skopeo_copy(name, "v1", token, tmp_path / "image")

    assert copy.returncode == 0, copy.stderr
    workload = IdentityWorkload.objects.get(identity=identity)
    assert workload.name == "prod/api"
    assert workload.last_used_node == "node-7"
    assert workload.last_used_address == "127.0.0.1"
    assert workload.last_used_client.startswith("skopeo/")
    pulls = PullEvent.objects.filter(credential_id=identity.pk, outcome="allowed")
    eventually(pulls.exists, "the pull was not counted", 15)
    pull = pulls.get()
    assert pull.license_id == identity.license_id
    assert pull.holder == f"identity:{identity.pk}.2"
    assert pull.credential_name == f"{identity.label}: prod/api"
    assert token not in edge.log.read_text()


def test_what_is_removed_stops_its_tokens_within_a_second(
    edge: EdgeClient,
    connected: Vendor,
    identity: TrustedIdentity,
    issuer: TokenIssuer,
    name: str,
    tmp_path: Path,
) -> None:
    workload_token = issuer.service_account()
    token = edge.token(workload_token, name)
    assert edge.get(name, "manifests/v1", token).status == 200

    remove_trusted_identity(actor=connected.actor, identity=identity)
    ended = time.monotonic()
    while (answer := edge.get(name, "manifests/v1", token)).status == 200:
        assert time.monotonic() - ended < 1.0, "still allowed after a second"

    sentence = "This trusted identity was removed on "
    assert answer.json["errors"][0]["detail"] == {"reason": "identity_removed"}
    assert sentence in answer.error[1]
    assert f'error="{sentence}' in answer.headers["WWW-Authenticate"]
    # Presented again, the same JWT says so at the pull, and at a bare login.
    copy = edge.skopeo_copy(name, "v1", workload_token, tmp_path / "image")
    assert copy.returncode != 0
    assert sentence in copy.stderr
    login = edge.token_answer(("any", workload_token))
    assert (login.status, login.error[0]) == (401, "UNAUTHORIZED")
    assert sentence in login.error[1]


def test_revoking_the_license_stops_its_tokens_within_a_second(
    edge: EdgeClient,
    connected: Vendor,
    identity: TrustedIdentity,
    issuer: TokenIssuer,
    name: str,
) -> None:
    token = edge.token(issuer.service_account(), name)
    assert edge.get(name, "manifests/v1", token).status == 200

    revoke_license(actor=connected.actor, license=identity.license, reason="unpaid")
    ended = time.monotonic()
    while (answer := edge.get(name, "manifests/v1", token)).status == 200:
        assert time.monotonic() - ended < 1.0, "still allowed after a second"

    assert "This license was revoked on " in answer.error[1]
    again = edge.get(name, "manifests/v1", edge.token(issuer.service_account(), name))
    assert again.status == 401
    assert "This license was revoked on " in again.error[1]


@pytest.mark.parametrize("grant", ["password", "refresh_token"])
def test_both_grants_of_post_accept_it(
    edge: EdgeClient,
    identity: TrustedIdentity,
    issuer: TokenIssuer,
    name: str,
    grant: str,
) -> None:
    form = {
        "grant_type": grant,
        "service": "berth-proxy",
        "client_id": "containerd",
        "scope": f"repository:{name}:pull",
        grant: issuer.service_account(),
    }
    body = urlencode(form | ({"username": "x"} if grant == "password" else {}))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    answer = edge.request("POST", "/v2/token", kind, body.encode())

    assert answer.status == 200, answer.body
    assert "refresh_token" not in answer.json
    token = answer.json["access_token"]
    assert edge.get(name, "manifests/v1", token).status == 200
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub"].startswith(f"identity:{identity.pk}")


def test_a_registry_token_ends_with_the_workload_token(
    edge: EdgeClient, identity: TrustedIdentity, issuer: TokenIssuer, name: str
) -> None:
    scope = f"repository:{name}:pull"
    for seconds, least, most in ((3600, 300, 300), (120, 110, 120), (5, 60, 60)):
        token = issuer.token(exp=int(time.time()) + seconds)
        answer = edge.token_answer(("any", token), scope)
        assert least <= answer.json["expires_in"] <= most


def test_a_bare_login_works_for_whom_it_is_trusted(
    edge: EdgeClient, identity: TrustedIdentity, issuer: TokenIssuer
) -> None:
    assert edge.token_answer(("any", issuer.service_account())).status == 200
    refused = edge.token_answer(("any", issuer.service_account("other")))
    assert (refused.status, refused.error[0]) == (401, "UNAUTHORIZED")
    assert "No trusted identity accepts this token" in refused.error[1]


def test_skopeo_prints_why_a_token_is_refused(
    edge: EdgeClient,
    identity: TrustedIdentity,
    issuer: TokenIssuer,
    name: str,
    tmp_path: Path,
) -> None:
    expired = issuer.token(exp=int(time.time()) - 60)
    foreign = issuer.service_account("other", "thief")
    cases = {
        expired: "The JWT expired on ",
        foreign: "Its issuer is " + issuer.issuer,
        "2" * 27: "No known license came with this request.",
    }

    for number, (secret, sentence) in enumerate(cases.items()):
        target = tmp_path / str(number)
        copy = edge.skopeo_copy(name, "v1", secret, target)
        assert copy.returncode != 0
        assert sentence in copy.stderr
        assert "denied" in copy.stderr
        assert not (target / "manifest.json").exists()


def test_a_new_key_is_read_when_a_token_names_it(
    edge: EdgeClient, identity: TrustedIdentity, issuer: TokenIssuer, name: str
) -> None:
    """Rotation with overlap: tokens of the old and of the new key pull throughout."""
    IssuerKeys.objects.update(tried_at=None)
    old = issuer.service_account()
    issuer.keys.insert(0, new_key("2", number=1))
    new = issuer.service_account()

    for secret in (old, new, old):
        token = edge.token(secret, name)
        assert edge.get(name, "manifests/v1", token).status == 200

    assert issuer.asked.count("/jwks") == 1
    # What the issuer no longer publishes is accepted no more once its keys are read.
    issuer.keys.pop()
    issuer.keys.insert(0, new_key("3", number=2))
    IssuerKeys.objects.update(tried_at=None)
    assert edge.token_answer(("any", issuer.service_account())).status == 200
    assert edge.token_answer(("any", old)).status == 401
