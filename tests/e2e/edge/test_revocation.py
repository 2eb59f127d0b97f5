"""Rights end within one second, with tokens issued before."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from deploy.local import images
from licenses.models import License
from licenses.services import (
    archive_customer,
    delete_application,
    reinstate_license,
    restore_customer,
)
from teams.api_tokens import revoke_api_token
from tests.e2e.conftest import Upstream
from tests.support.clients.edge import EdgeClient
from tests.support.rows.ending import WAYS_TO_END, archive_license, revoke
from tests.support.rows.vendor import Vendor


@pytest.fixture
def name(connected: Vendor, basic_upstream: Upstream) -> str:
    images.push_image(
        basic_upstream.url,
        "my-org/revoked",
        "v1",
        auth=basic_upstream.login,
        layers=[images.tar_layer({"a": b"a"})],
    )
    return f"proxy/{connected.application.slug}/sample/my-org/revoked"


@pytest.mark.parametrize("end", WAYS_TO_END)
def test_a_token_issued_before_stops_within_a_second(
    edge: EdgeClient,
    connected: Vendor,
    name: str,
    end: Callable[[Vendor, License], None],
) -> None:
    license = connected.license()
    token = edge.token(license.license_id.reveal(), name)
    allowed = edge.get(name, "manifests/v1", token)
    assert allowed.status == 200

    end(connected, license)
    ended = time.monotonic()
    while (answer := edge.get(name, "manifests/v1", token)).status == 200:
        assert time.monotonic() - ended < 1.0, "still allowed after a second"

    assert answer.status == 401
    assert answer.error[0] == "DENIED"


def test_a_login_right_after_a_revocation_learns_why(
    edge: EdgeClient, connected: Vendor, name: str
) -> None:
    license = connected.license()
    license_id = license.license_id.reveal()
    before = edge.get(name, "manifests/v1", edge.token(license_id, name))
    assert before.status == 200

    revoke(connected, license)
    # This token grants nothing, while the edge remembers that the pull was allowed.
    answer = edge.get(name, "manifests/v1", edge.token(license_id, name))

    assert answer.status == 401
    assert answer.error[0] == "DENIED"
    assert answer.error[1].startswith("This license was revoked on ")


@pytest.mark.usefixtures("edge")
def test_what_was_given_back_works_again(
    edge: EdgeClient, connected: Vendor, name: str
) -> None:
    license = connected.license()
    token = edge.token(license.license_id.reveal(), name)
    revoke(connected, license)
    archive_customer(actor=connected.actor, customer=connected.customer)
    reinstate_license(actor=connected.actor, license=license)
    restore_customer(actor=connected.actor, customer=connected.customer)

    assert edge.get(name, "manifests/v1", token).status == 200


def test_a_revoked_api_token_stops_its_registry_tokens(
    edge: EdgeClient, connected: Vendor, name: str
) -> None:
    api_token, text = connected.api_token()
    answer = edge.token_answer(
        (connected.owner.email, text.reveal()), f"repository:{name}:pull"
    )
    token = answer.json["token"]
    assert edge.get(name, "manifests/v1", token).status == 200

    revoke_api_token(actor=connected.actor, api_token=api_token)
    revoked = time.monotonic()
    while (answer := edge.get(name, "manifests/v1", token)).status == 200:
        assert time.monotonic() - revoked < 1.0

    assert answer.status == 401


def test_an_archived_application_stops_the_registry_tokens_of_its_vendor(
    edge: EdgeClient, connected: Vendor, name: str
) -> None:
    archive_license(connected, connected.license())
    _, text = connected.api_token()
    answer = edge.token_answer(
        (connected.owner.email, text.reveal()), f"repository:{name}:pull"
    )
    token = answer.json["token"]
    assert edge.get(name, "manifests/v1", token).status == 200

    archived = delete_application(
        actor=connected.actor, application=connected.application
    )
    assert archived is not None
    ended = time.monotonic()
    while (answer := edge.get(name, "manifests/v1", token)).status == 200:
        assert time.monotonic() - ended < 1.0, "still allowed after a second"

    assert answer.status == 401
