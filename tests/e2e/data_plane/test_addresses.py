"""nginx and the edge never mean two different names by one address."""

from __future__ import annotations

import http.client

import pytest

from tests.e2e.data_plane.conftest import DataPlane, Puller, puller_of
from tests.support.rows.vendor import create_vendor
from tests.support.servers.hostile_upstream import HostileUpstream

MINE = b"mine" * 1000
THEIRS = b"theirs" * 1000


@pytest.fixture
def rival(plane: DataPlane, upstream: HostileUpstream) -> Puller:
    vendor = create_vendor()
    vendor.connect(upstream.endpoint, "counting")
    return puller_of(plane, vendor)


def ask(plane: DataPlane, target: str, token: str) -> tuple[int, bytes]:
    """Send a target as it is: other clients would normalize it."""
    client = http.client.HTTPConnection(plane.client.host, timeout=30)
    client.putrequest("GET", target, skip_accept_encoding=True)
    client.putheader("Authorization", f"Bearer {token}")
    client.endheaders()
    response = client.getresponse()
    status, body = response.status, response.read()
    client.close()
    return status, body


UPWARDS = "../" * 7

# As ways to somebody else's object, with a token for one's own repository.
WAYS = [
    "/v2/{theirs}/blobs/{digest}",
    "/v2/{mine}/blobs/{digest}",
    "http://{host}/v2/{theirs}/blobs/{digest}",
    "http://{host}/v2/{mine}/blobs/{up}v2/{theirs}/blobs/{digest}",
    "/v2/{mine}/blobs/{up}v2/{theirs}/blobs/{digest}",
    "/v2/{mine}/blobs/{digest}/{up}v2/{theirs}/blobs/{digest}",
    "/v2/{theirs}/blobs/{digest}/{up}v2/{mine}/blobs/{digest}",
    "/v2/{mine}/%2e%2e/%2e%2e/%2E%2E/%2e%2e/%2e./{theirs}/blobs/{digest}",
    "/v2/{mine}/..%2f..%2f..%2f..%2f..%2f{theirs}/blobs/{digest}",
    "/v2/{mine}/blobs/{digest}%2f..%2f{up}v2%2f{theirs}/blobs/{digest}",
    "/v2/{mine}%00{theirs}/blobs/{digest}",
    "/v2/{theirs}%00/blobs/{digest}",
    "/v2/{mine}/blobs/{digest}?/v2/{theirs}/blobs/{digest}",
    "/v2/{mine}/blobs/{digest}#/{up}v2/{theirs}/blobs/{digest}",
    "/v2/{theirs}/blobs/{digest}#/{up}v2/{mine}/blobs/{digest}",
    "/v2/{mine}%23/{up}v2/{theirs}/blobs/{digest}",
    "/v2/{mine}%3f/{up}v2/{theirs}/blobs/{digest}",
    "/v2/{mine};/{up}v2/{theirs}/blobs/{digest}",
    "/v2/{mine}\\..\\..\\..\\..\\..\\{theirs}/blobs/{digest}",
    "/v2/{mine}/blobs/{digest}/blobs/{digest}",
    "/v2/{mine}/manifests/x/{theirs}/blobs/{digest}",
    "/v2/{mine}/{theirs}/blobs/{digest}",
    "/v2//{theirs}/blobs/{digest}",
    "//v2/{theirs}/blobs/{digest}",
    "/./v2/./{theirs}/./blobs/{digest}",
    "/v2/{theirs_upper}/blobs/{digest}",
    "/V2/{theirs}/blobs/{digest}",
    "/v2/{theirs_encoded}/blobs/{digest}",
    "/v2/{theirs_twice}/blobs/{digest}",
    "/v2/{theirs}/blobs/{digest_encoded}",
    "/v2/{theirs}/%62lobs/{digest}",
    "/v2/{theirs}/blobs/{digest}/",
    "/v2/{theirs}/blobs/{digest}.oci-manifest",
    "/objects/{place}/blobs/{digest}",
    "/v2/../objects/{place}/blobs/{digest}",
    "/v2/proxy/../../objects/{place}/blobs/{digest}",
    "/v2/proxy/..%2f..%2fobjects/{place}/blobs/{digest}",
]


@pytest.mark.parametrize("way", WAYS)
def test_no_address_leads_to_somebody_elses_object(
    plane: DataPlane, puller: Puller, rival: Puller, way: str
) -> None:
    digest = rival.keep(THEIRS)
    place = rival.place
    # Both decisions are remembered.
    assert rival.get(f"blobs/{digest}").body == THEIRS
    assert puller.get(f"blobs/{puller.keep(MINE)}").body == MINE
    target = way.format(
        host=plane.client.host,
        up=UPWARDS,
        mine=puller.name,
        theirs=rival.name,
        theirs_upper=rival.name.upper().replace("PROXY", "proxy"),
        theirs_encoded=_encoded(rival.name),
        theirs_twice=_encoded(rival.name).replace("%", "%25"),
        digest=digest,
        digest_encoded=digest.replace(":", "%3a"),
        place=place,
    )

    status, body = ask(plane, target, puller.token)

    assert THEIRS not in body
    # One's own upstream has no such blob.
    assert status in {400, 401, 404}
    lines = plane.pulled(rival.name, 1)
    assert [line["bytes"] for line in lines] == [len(THEIRS)]


@pytest.mark.parametrize(
    "spelling",
    [
        "/v2/{encoded}/blobs/{digest}",
        "/v2/{name}/%62lobs/{digest}",
        "/v2/{name}/blobs/{digest_encoded}",
        "/v2/{name}/blobs/{digest_encoded}?ns=x",
    ],
)
def test_another_spelling_of_an_object_is_the_edges(
    plane: DataPlane, puller: Puller, upstream: HostileUpstream, spelling: str
) -> None:
    digest = puller.keep(MINE)
    upstream.blobs[digest] = MINE
    assert puller.get(f"blobs/{digest}").body == MINE
    target = spelling.format(
        name=puller.name,
        encoded=_encoded(puller.name),
        digest=digest,
        digest_encoded=digest.replace(":", "%3A"),
    )

    assert upstream.requests == []
    assert ask(plane, target, puller.token) == (200, MINE)
    assert len(upstream.requests_for("small")) == 1


def test_an_absolute_address_is_served_like_its_path(
    plane: DataPlane, puller: Puller
) -> None:
    digest = puller.keep(MINE)
    target = f"http://{plane.client.host}{puller.path(f'blobs/{digest}')}"

    assert ask(plane, target, puller.token) == (200, MINE)


def _encoded(name: str) -> str:
    """Encode each character but the slashes."""
    return "".join(item if item == "/" else f"%{ord(item):02x}" for item in name)
