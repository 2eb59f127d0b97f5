"""Without nginx the registry believes its tokens: how long a right may outlive its end.

It is 60 seconds for a token's life and 60 that Distribution adds to any expiry.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from licenses.models import License
from licenses.services import archive_customer, revoke_license
from oci.scope import Scope
from registries.decision.credentials import Subject, SubjectKind
from registries.tokens.registry_token import TokenIssuer
from registries.tokens.signing_keys import SigningKey
from tests.e2e.registry.conftest import SERVICE, Pushed, Registry, bearer
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


def test_a_license_that_is_over_gets_no_token(
    registry: Registry, vendor: Vendor, pushed: Pushed
) -> None:
    scope = f"repository:{pushed.repository}:pull"
    revoked, archived = vendor.license(), vendor.license()
    logins = [("any", item.license_id.reveal()) for item in (revoked, archived)]
    assert registry.token(logins[0], scope)

    revoke_license(actor=vendor.actor, license=revoked, reason="test")
    first = registry.client.token_answer(logins[0], scope, service=SERVICE)
    archive_customer(actor=vendor.actor, customer=vendor.customer)
    second = registry.client.token_answer(logins[1], scope, service=SERVICE)

    assert (first.status, second.status) == (401, 401)
    assert first.error[1].startswith("This license was revoked on ")
    assert second.error[1].startswith("This license belongs to an archived customer.")
