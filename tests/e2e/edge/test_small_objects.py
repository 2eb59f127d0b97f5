"""Small things by digest are asked for once, and cross no border on the way."""

from __future__ import annotations

import pytest

from licenses.services import revoke_license
from portal.crypto.secrets import Secret
from registries.models import ExternalRegistry
from registries.services import NewCredential, draft_credential, replace_credential
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.hostile_upstream import SMALL, SMALL_DIGEST, HostileUpstream


class Puller:
    """A customer of one vendor, pulling one repository of the counting registry."""

    def __init__(self, edge: EdgeClient, vendor: Vendor, repository: str) -> None:
        self.edge = edge
        self.vendor = vendor
        self.license = vendor.license()
        self.name = f"proxy/{vendor.application.slug}/counting/small/{repository}"
        self.token = edge.token(self.license.license_id.reveal(), self.name)

    def get(self, **options: str) -> Answer:
        headers = {name.replace("_", "-"): value for name, value in options.items()}
        return self.edge.get(
            self.name, f"blobs/{SMALL_DIGEST}", self.token, headers=headers
        )


@pytest.fixture
def upstream(hostile: HostileUpstream) -> HostileUpstream:
    hostile.requests.clear()
    return hostile


@pytest.fixture
def counted(vendor: Vendor, upstream: HostileUpstream) -> Vendor:
    vendor.connect(upstream.endpoint, "counting")
    return vendor


def asked(upstream: HostileUpstream) -> int:
    return len(upstream.requests_for("small"))


def test_the_second_answer_is_the_first_one_again(
    edge: EdgeClient, counted: Vendor, upstream: HostileUpstream
) -> None:
    puller = Puller(edge, counted, counted.team.slug)

    first, second = puller.get(), puller.get()
    head = edge.get(puller.name, f"blobs/{SMALL_DIGEST}", puller.token, method="HEAD")

    assert first.body == second.body == SMALL
    of_each = {"date": "", "x-request-id": ""}
    assert dict(first.headers) | of_each == dict(second.headers) | of_each
    assert (head.headers["Content-Length"], head.body) == (str(len(SMALL)), b"")
    assert asked(upstream) == 1


def test_a_revoked_license_gets_nothing_that_is_kept(
    edge: EdgeClient, counted: Vendor, upstream: HostileUpstream
) -> None:
    puller = Puller(edge, counted, counted.team.slug)
    other = Puller(edge, counted, counted.team.slug)
    assert puller.get().status == 200
    revoke_license(actor=counted.actor, license=other.license, reason="test")

    denied = other.get()

    assert (denied.status, denied.error[0]) == (401, "DENIED")


def test_nothing_crosses_to_another_vendor_or_repository(
    edge: EdgeClient, counted: Vendor, upstream: HostileUpstream
) -> None:
    other = create_vendor()
    other.connect(upstream.endpoint, "counting")
    pullers = [
        Puller(edge, counted, "one"),
        Puller(edge, counted, "two"),
        Puller(edge, other, "one"),
    ]

    bodies = [puller.get().body for puller in pullers]

    assert bodies == [SMALL] * 3
    assert asked(upstream) == 3


def test_a_replaced_credential_asks_again(
    edge: EdgeClient, counted: Vendor, upstream: HostileUpstream
) -> None:
    puller = Puller(edge, counted, counted.team.slug)
    puller.get()

    replace_credential(
        actor=counted.actor,
        draft=draft_credential(
            actor=counted.actor,
            registry=ExternalRegistry.objects.get(team=counted.team),
            new=NewCredential("password", "new", Secret("newer")),
        ),
        result=None,
    )
    fresh = Puller(edge, counted, counted.team.slug)

    fresh.get()

    assert asked(upstream) == 2


def test_tags_ranges_and_conditions_always_go_upstream(
    edge: EdgeClient, counted: Vendor, upstream: HostileUpstream
) -> None:
    puller = Puller(edge, counted, counted.team.slug)
    puller.get()

    puller.get(Range="bytes=0-1")
    puller.get(If_None_Match='"x"')
    for _ in range(2):
        edge.get(puller.name, "manifests/v1", puller.token)

    assert asked(upstream) == 5
