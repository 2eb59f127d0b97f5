"""Without nginx the registry believes its tokens: how long a right may outlive its end.

It is 60 seconds for a token's life and 60 that Distribution adds to any expiry.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jwt
import pytest
import urllib3
from django.conf import settings

from licenses.models import License
from licenses.services import archive_customer, revoke_license
from oci.scope import Scope
from registries.decision.credentials import Subject, SubjectKind
from registries.tokens.registry_token import TokenIssuer
from registries.tokens.signing_keys import SigningKey
from tests.e2e.registry.conftest import SERVICE, Pushed, Registry, bearer
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor


def _token(license: License, repository: str, *, expired_for: int) -> str:
    issuer = TokenIssuer(SigningKey.parse(settings.BERTH_TOKEN_SIGNING_KEY))
    return issuer.issue(
        subject=Subject(SubjectKind.LICENSE, license.pk),
        service=SERVICE,
        grants=[Scope("repository", repository, ("pull",))],
        issued_at=datetime.now(UTC) - timedelta(seconds=60 + expired_for),
        lifetime_seconds=60,
    )


def test_the_bound_is_two_minutes(
    registry: Registry, vendor: Vendor, pushed: Pushed
) -> None:
    license = vendor.license()
    login = ("any", license.license_id.reveal())
    scope = f"repository:{pushed.repository}:pull"
    answer = registry.client.token_answer(login, scope, service=SERVICE)
    revoke_license(actor=vendor.actor, license=license, reason="test")

    statuses = {
        seconds: registry.direct.request(
            "GET",
            pushed.layer_path,
            bearer(_token(license, pushed.repository, expired_for=seconds)),
        ).status
        for seconds in (0, 50, 65)
    }

    assert answer.json["expires_in"] == 60
    assert statuses == {0: 200, 50: 200, 65: 401}


@pytest.mark.parametrize("expired_for", [15, 50])
def test_with_nginx_an_expired_token_is_refused(
    registry: Registry, vendor: Vendor, pushed: Pushed, expired_for: int
) -> None:
    token = _token(vendor.license(), pushed.repository, expired_for=expired_for)

    answer = registry.client.request("GET", pushed.layer_path, bearer(token))

    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def _ended(vendor: Vendor) -> list[tuple[str, str]]:
    """Return the logins of a revoked license, and of an archived customer's."""
    revoked, archived = vendor.license(), vendor.license()
    revoke_license(actor=vendor.actor, license=revoked, reason="test")
    archive_customer(actor=vendor.actor, customer=vendor.customer)
    return [("any", item.license_id.reveal()) for item in (revoked, archived)]


def test_a_license_that_is_over_gets_no_token(
    edge: EdgeClient, vendor: Vendor, pushed: Pushed
) -> None:
    """Distribution would only say "denied"; most clients print this answer."""
    scope = f"repository:{pushed.repository}:pull"

    first, second = (
        edge.token_answer(login, scope, service=SERVICE) for login in _ended(vendor)
    )

    assert (first.status, second.status) == (401, 401)
    assert first.error[1].startswith("This license was revoked on ")
    assert second.error[1].startswith("This license belongs to an archived customer.")


def test_with_nginx_it_gets_a_token_for_nothing(
    registry: Registry, vendor: Vendor, pushed: Pushed
) -> None:
    scope = f"repository:{pushed.repository}:pull"
    logins = _ended(vendor)

    tokens = [registry.token(login, scope) for login in logins]
    login_alone = registry.client.token_answer(logins[0], service=SERVICE)

    path = pushed.manifest_path
    decided = [registry.client.request("GET", path, bearer(token)) for token in tokens]
    past_nginx = [registry.direct.request("GET", path, bearer(item)) for item in tokens]
    for token in tokens:
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["access"] == []
    assert [(item.status, item.error[0]) for item in decided] == [(401, "DENIED")] * 2
    assert decided[0].error[1].startswith("This license was revoked on ")
    assert decided[1].error[1].startswith("This license belongs to an archived")
    assert [item.status for item in past_nginx] == [401, 401]
    assert login_alone.status == 401
    assert login_alone.error[1].startswith("This license was revoked on ")


def test_a_client_gains_nothing_by_pretending_to_be_nginx(
    edge: EdgeClient, vendor: Vendor, pushed: Pushed
) -> None:
    pretending = {"X-Berth-Asked-Per-Request": "1"}
    scope = f"repository:{pushed.repository}:pull"
    logins = [*_ended(vendor), ("any", "2" * 27)]

    answers = [
        edge.request(
            "GET",
            f"/v2/token?service={SERVICE}&scope={scope}",
            urllib3.make_headers(basic_auth=":".join(login)) | pretending,
        )
        for login in logins
    ]

    assert [item.status for item in answers] == [200, 200, 200]
    for answer in answers:
        claims = jwt.decode(answer.json["token"], options={"verify_signature": False})
        assert claims["access"] == []
