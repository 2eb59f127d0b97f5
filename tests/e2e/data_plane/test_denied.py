"""A full cache gives nothing to those who may not pull, within a second."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from licenses.models import License
from registries.models import PullEvent
from tests.e2e.data_plane.conftest import MISS, DataPlane, Puller, puller_of
from tests.support.rows.ending import WAYS_TO_END
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.hostile_upstream import SMALL_DIGEST, HostileUpstream
from tests.support.stacks.disk_cache import blob_file

CONTENT = b"only for customers " * 1000


@pytest.mark.parametrize("end", WAYS_TO_END)
def test_a_right_that_ends_gets_nothing_within_a_second(
    plane: DataPlane,
    puller: Puller,
    counted: Vendor,
    upstream: HostileUpstream,
    end: Callable[[Vendor, License], None],
) -> None:
    digest = puller.keep(CONTENT)
    place = puller.place
    assert puller.get(f"blobs/{digest}").body == CONTENT

    end(counted, puller.license)
    ended = time.monotonic()
    while (answer := puller.get(f"blobs/{digest}")).status == 200:
        assert time.monotonic() - ended < 1.0, "still allowed after a second"
    allowed = plane.pulled(puller.name)
    heads = [puller.get(f"blobs/{digest}", "HEAD") for _ in range(3)]

    assert (answer.status, answer.error[0]) == (401, "DENIED")
    assert len(answer.headers.getlist("WWW-Authenticate")) == 1
    assert {item.status for item in heads} == {401}
    assert plane.pulled(puller.name) == allowed
    assert blob_file(plane.cache, place, digest).read_bytes() == CONTENT
    assert upstream.requests == []


def test_a_refused_manifest_is_counted_once_and_not_logged(
    plane: DataPlane, puller: Puller, counted: Vendor
) -> None:
    digest = puller.keep(CONTENT)
    other = puller_of(plane, counted)
    WAYS_TO_END[0](counted, other.license)

    answer = other.get(f"manifests/{digest}")

    assert (answer.status, answer.error[0]) == (401, "DENIED")
    assert plane.pulled(puller.name) == []
    deadline = time.monotonic() + 20
    while not (events := list(PullEvent.objects.filter(license=other.license))):
        assert time.monotonic() < deadline, "the refusal was not counted"
        time.sleep(0.2)
    (event,) = events
    assert (event.outcome, event.count) == ("license_revoked", 1)


def test_nothing_crosses_to_another_team_repository_or_token(
    plane: DataPlane, puller: Puller, counted: Vendor, upstream: HostileUpstream
) -> None:
    """The others get what their own upstream has: nothing, for that digest."""
    digest = puller.keep(CONTENT)
    assert puller.get(f"blobs/{digest}").body == CONTENT
    rival = create_vendor()
    rival.connect(upstream.endpoint, "counting")
    others = [puller_of(plane, rival), puller_of(plane, counted, "small/other")]

    for other in others:
        answer = other.get(f"blobs/{digest}")
        assert (answer.status, answer.error[0]) == (404, "BLOB_UNKNOWN")
    foreign = plane.client.get(puller.name, f"blobs/{digest}", others[0].token)
    narrow = plane.client.get(puller.name, f"blobs/{digest}", others[1].token)

    assert (foreign.status, foreign.error[0]) == (401, "DENIED")
    assert narrow.status == 401
    assert 'error="insufficient_scope"' in narrow.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer forged",
        "Basic bGljZW5zZTp4",
        "{token}",
        "Bearer {token}x",
    ],
)
def test_without_a_good_token_there_is_a_challenge(
    plane: DataPlane, puller: Puller, authorization: str | None
) -> None:
    digest = puller.keep(CONTENT)
    assert puller.get(f"blobs/{digest}").body == CONTENT
    headers = {}
    if authorization is not None:
        headers = {"Authorization": authorization.format(token=puller.token)}

    answer = plane.client.request("GET", puller.path(f"blobs/{digest}"), headers)

    assert answer.status == 401
    (challenge,) = answer.headers.getlist("WWW-Authenticate")
    assert f'scope="repository:{puller.name}:pull"' in challenge


@pytest.mark.parametrize("place", ["/", "..", "{place}", "../tags", "0/0", "%2e%2e"])
def test_what_nginx_tells_the_edge_cannot_be_sent_by_clients(
    plane: DataPlane, puller: Puller, counted: Vendor, place: str
) -> None:
    digest = puller.keep(CONTENT)
    revoked = puller_of(plane, counted)
    WAYS_TO_END[0](counted, revoked.license)
    sent = {
        "X-Berth-Place": place.format(place=puller.place),
        "X-Berth-Pull": "team license:1 registry",
        "X-Berth-Name": puller.name,
        "X-Original-Method": "GET",
        "X-Original-URI": "/v2/",
        "If-Unmodified-Since": "Thu, 01 Jan 2099 00:00:00 GMT",
    }

    allowed = puller.get(f"blobs/{digest}", headers=sent)
    denied = revoked.get(f"blobs/{digest}", headers=sent)
    missing = puller.get(f"blobs/{SMALL_DIGEST}", headers=sent)

    assert allowed.body == CONTENT
    assert denied.status == 401
    assert missing.body == MISS
    for answer in (allowed, denied, missing):
        own = [name for name in answer.headers if name.lower().startswith("x-")]
        assert own == ["X-Request-ID"]


def test_a_name_in_a_header_is_not_the_one_that_is_decided(
    plane: DataPlane, puller: Puller, upstream: HostileUpstream
) -> None:
    rival = create_vendor()
    rival.connect(upstream.endpoint, "counting")
    other = puller_of(plane, rival)
    digest = puller.keep(CONTENT)

    answer = plane.client.get(
        puller.name,
        f"blobs/{digest}",
        other.token,
        headers={"X-Berth-Name": other.name},
    )

    assert (answer.status, answer.error[0]) == (401, "DENIED")


@pytest.mark.parametrize(
    "path",
    [
        "/v2/_pull",
        "/v2/_pull?x",
        "/_pull",
        "/v2//_pull",
        "/v2/%5fpull",
        "/v2/x/../_pull",
    ],
)
def test_the_question_is_nginxs_alone(
    plane: DataPlane, puller: Puller, path: str
) -> None:
    headers = puller.bearer | {"X-Berth-Name": puller.name}

    assert plane.client.request("GET", path, headers).status == 404
