"""The proxy's HTTP: what goes up, what comes back, and what is refused."""

from __future__ import annotations

import json
import time

import pytest
import urllib3

from deploy.local import images
from portal.crypto.secrets import Secret
from teams.models import Team
from tests.e2e.conftest import METRICS_TOKEN, Upstream
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.rows.vendor import Vendor

CONTENT = bytes(range(256)) * 4


class Pull:
    """A repository with one image and one blob, and a token for it."""

    def __init__(self, edge: EdgeClient, vendor: Vendor, upstream: Upstream) -> None:
        repository = f"http/{vendor.team.slug}"
        auth = upstream.login
        self.edge = edge
        self.image = images.push_image(
            upstream.url,
            repository,
            "v1",
            auth=auth,
            layers=[images.tar_layer({"a": b"a"})],
        )
        self.blob = images.push_blob(upstream.url, repository, CONTENT, auth=auth)
        self.repository = repository
        self.name = f"proxy/{vendor.application.slug}/sample/{repository}"
        self.token = edge.token(vendor.license().license_id.reveal(), self.name)

    def get(self, rest: str, method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.edge.get(self.name, rest, self.token, method=method, headers=named)


@pytest.fixture
def pull(edge: EdgeClient, connected: Vendor, basic_upstream: Upstream) -> Pull:
    return Pull(edge, connected, basic_upstream)


def test_base_without_a_token_challenges(edge: EdgeClient) -> None:
    answer = edge.request("GET", "/v2/")

    assert answer.status == 401
    assert answer.error[0] == "UNAUTHORIZED"
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer realm="http://{edge.host}/v2/token",service="berth-proxy"'
    )
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


@pytest.mark.parametrize("host", ["localhost:\u00b2", "a b", "", "localhost:1:2", "["])
def test_odd_hosts_are_told_so(edge: EdgeClient, host: str) -> None:
    answer = edge.request("GET", "/v2/", {"Host": host.encode().decode("latin-1")})

    assert answer.status == 400


@pytest.mark.django_db
@pytest.mark.parametrize(
    "host",
    [
        "evil.test/x.example.com",
        "evil.test?x.example.com",
        "evil.test#x.example.com",
        "evil.test\\x.example.com",
        "evil.test:80/x.example.com",
        'evil.test",x="x.example.com',
        "user@x.example.com",
        "evil.test, x.example.com",
        "x.example.com:80:80",
        "x.example.com:",
        "_x.example.com",
    ],
)
def test_what_is_no_host_passes_no_wildcard(strict_edge: EdgeClient, host: str) -> None:
    paths = ("/v2/", "/v2/proxy/app/sample/a/manifests/v1")

    answers = [strict_edge.request("GET", path, {"Host": host}) for path in paths]
    good = strict_edge.request("GET", "/v2/", {"Host": "X.Example.com:8443"})

    for answer in answers:
        assert answer.status == 400
        assert "WWW-Authenticate" not in answer.headers
    realm = 'realm="http://x.example.com:8443/v2/token"'
    assert realm in good.headers["WWW-Authenticate"]


def test_realm_follows_the_host_that_the_client_used(edge: EdgeClient) -> None:
    port = edge.host.partition(":")[2]

    own = edge.request("GET", "/v2/", {"Host": f"127.0.0.1:{port}"})
    foreign = edge.request("GET", "/v2/", {"Host": "evil.example"})

    assert (
        f'realm="http://127.0.0.1:{port}/v2/token"' in (own.headers["WWW-Authenticate"])
    )
    assert foreign.status == 400
    assert "evil.example" not in str(foreign.headers)


def test_base_with_a_token_is_ok(pull: Pull) -> None:
    answer = pull.edge.request("GET", "/v2/", {"Authorization": f"Bearer {pull.token}"})

    assert (answer.status, answer.json) == (200, {})


def test_manifest_keeps_its_type_digest_and_bytes(pull: Pull) -> None:
    answer = pull.get("manifests/v1")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == images.MANIFEST
    assert answer.headers["Docker-Content-Digest"] == pull.image.digest
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["ETag"] == f'"{pull.image.digest}"'
    assert "Set-Cookie" not in answer.headers


def test_head_gives_the_length_and_no_body(pull: Pull) -> None:
    manifest = pull.get("manifests/v1", "HEAD")
    blob = pull.get(f"blobs/{pull.blob.digest}", "HEAD")

    assert manifest.headers["Content-Length"] == str(pull.image.size)
    assert manifest.headers["Docker-Content-Digest"] == pull.image.digest
    assert blob.headers["Content-Length"] == str(len(CONTENT))
    assert manifest.body == blob.body == b""


def test_accept_reaches_the_upstream(pull: Pull) -> None:
    """Distribution says 404 to a client that does not take OCI manifests."""
    docker_only = "application/vnd.docker.distribution.manifest.v2+json"

    narrow = pull.get("manifests/v1", Accept=docker_only)
    wide = pull.get("manifests/v1", Accept=f"{docker_only}, {images.MANIFEST}")

    assert narrow.status == 404
    assert wide.status == 200


def test_what_the_client_does_not_accept_stays_its_own_mistake(
    pull: Pull, basic_upstream: Upstream
) -> None:
    """Distribution 2.8 says 400 where it cannot convert a docker manifest."""
    docker_type = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.loads(pull.get("manifests/v1").body)
    # Not a configuration, so it cannot be converted.
    manifest |= {"mediaType": docker_type, "config": pull.blob.as_json()}
    assert basic_upstream.login is not None
    pushed = pull.edge.http.request(
        "PUT",
        f"{basic_upstream.url}/v2/{pull.repository}/manifests/docker",
        headers=urllib3.make_headers(basic_auth=":".join(basic_upstream.login))
        | {"Content-Type": docker_type},
        body=json.dumps(manifest),
    )
    assert pushed.status == 201, pushed.data

    answer = pull.get("manifests/docker", Accept=images.MANIFEST)

    code, sentence = answer.error
    assert (answer.status, code) == (400, "MANIFEST_INVALID")
    assert sentence == (
        "The registry of sample refused the request with status 400. Check the image "
        "name, and which formats your client accepts."
    )


def test_several_accept_headers_all_reach_the_upstream(pull: Pull) -> None:
    import http.client

    host, _, port = pull.edge.host.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.putrequest("GET", f"/v2/{pull.name}/manifests/v1")
    connection.putheader("Authorization", f"Bearer {pull.token}")
    connection.putheader("Accept", "application/vnd.example.nothing")
    connection.putheader("Accept", images.MANIFEST)
    connection.endheaders()
    response = connection.getresponse()
    response.read()
    connection.close()

    assert response.status == 200


@pytest.mark.parametrize(
    ("wanted", "content_range", "expected"),
    [
        ("bytes=0-9", "bytes 0-9/1024", CONTENT[:10]),
        ("bytes=1000-", "bytes 1000-1023/1024", CONTENT[1000:]),
        ("bytes=-24", "bytes 1000-1023/1024", CONTENT[-24:]),
        ("bytes=512-99999", "bytes 512-1023/1024", CONTENT[512:]),
    ],
)
def test_range_of_a_cold_blob(
    pull: Pull, wanted: str, content_range: str, expected: bytes
) -> None:
    answer = pull.get(f"blobs/{pull.blob.digest}", Range=wanted)

    assert answer.status == 206
    assert answer.headers["Content-Range"] == content_range
    assert answer.headers["Content-Length"] == str(len(expected))
    assert answer.body == expected


def test_range_outside_of_the_blob(pull: Pull) -> None:
    answer = pull.get(f"blobs/{pull.blob.digest}", Range="bytes=5000-6000")

    assert (answer.status, answer.error[0]) == (416, "RANGE_INVALID")


@pytest.mark.parametrize(
    "wanted", ["bytes=", "bytes=9-1", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "x"]
)
def test_malformed_range(pull: Pull, wanted: str) -> None:
    answer = pull.get(f"blobs/{pull.blob.digest}", Range=wanted)

    assert (answer.status, answer.error[0]) == (416, "RANGE_INVALID")


def test_if_none_match_saves_the_body(pull: Pull) -> None:
    answer = pull.get("manifests/v1", If_None_Match=f'"{pull.image.digest}"')

    assert (answer.status, answer.body) == (304, b"")


def test_tags_are_listed(pull: Pull) -> None:
    listed, head = pull.get("tags/list"), pull.get("tags/list", "HEAD")

    assert listed.json == {"name": pull.name, "tags": ["v1"]}
    assert listed.headers["Content-Length"] == str(len(listed.body))
    # As Distribution says.
    assert (head.status, head.headers["Allow"]) == (405, "GET")


def test_missing_things_are_called_what_they_are(pull: Pull) -> None:
    absent = "sha256:" + "0" * 64

    assert pull.get("manifests/nope").error[0] == "MANIFEST_UNKNOWN"
    assert pull.get(f"manifests/{absent}").error[0] == "MANIFEST_UNKNOWN"
    assert pull.get(f"blobs/{absent}").error[0] == "BLOB_UNKNOWN"
    assert pull.get(f"referrers/{absent}").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_only_pulls_are_served(pull: Pull, method: str) -> None:
    answer = pull.get("manifests/v1", method)

    assert (answer.status, answer.error[0]) == (405, "UNSUPPORTED")
    assert answer.headers["Allow"] == "GET, HEAD"
    assert pull.get("manifests/v1").headers["Docker-Content-Digest"] == (
        pull.image.digest
    )


def test_catalog_is_not_served(pull: Pull) -> None:
    bearer = {"Authorization": f"Bearer {pull.token}"}

    for path in ("/v2/_catalog", f"/v2/{pull.name}/_catalog", "/v2/proxy/_catalog"):
        assert pull.edge.request("GET", path, bearer).status == 404


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("proxy/App/sample/a/manifests/v1", "NAME_INVALID"),
        ("proxy/app/manifests/v1", "NAME_INVALID"),
        ("proxy/app/sample//a/manifests/v1", "NAME_INVALID"),
        ("proxy/app/sample/../../etc/manifests/v1", "NAME_INVALID"),
        ("proxy/app/sample/%2e%2e/manifests/v1", "NAME_INVALID"),
        ("proxy/app/sample/a%00b/manifests/v1", "NAME_INVALID"),
        ("proxy/app/sample/%ff/manifests/v1", "NAME_INVALID"),
        ("proxy/app/sample/" + "a/" * 300 + "manifests/v1", "NAME_INVALID"),
        ("proxy/app/sample/" + "a" * 300 + "/manifests/v1", "NAME_INVALID"),
        # distribution-spec, "Listing Referrers", demands 400 for these.
        ("proxy/app/sample/a/referrers/sha256:short", "DIGEST_INVALID"),
        ("proxy/app/sample/a/referrers/latest", "DIGEST_INVALID"),
    ],
)
def test_malformed_names_are_told_so(edge: EdgeClient, path: str, code: str) -> None:
    answer = edge.request("GET", f"/v2/{path}")

    assert (answer.status, answer.error[0]) == (400, code)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("rest", "code", "sentence"),
    [
        # The conformance suite's name for a manifest that does not exist.
        ("manifests/.INVALID_MANIFEST_NAME", "MANIFEST_UNKNOWN", "is not a tag."),
        ("manifests/-bad", "MANIFEST_UNKNOWN", "is not a tag."),
        ("manifests/" + "t" * 129, "MANIFEST_UNKNOWN", "is not a tag."),
        ("manifests/v%001", "MANIFEST_UNKNOWN", "is not a tag."),
        ("manifests/sha256:short", "MANIFEST_UNKNOWN", "hexadecimal digits."),
        ("blobs/md5:" + "0" * 32, "BLOB_UNKNOWN", "is neither sha256 nor sha512."),
        ("blobs/latest", "BLOB_UNKNOWN", "is not a digest."),
    ],
)
def test_what_cannot_exist_is_not_found(
    edge: EdgeClient, method: str, rest: str, code: str, sentence: str
) -> None:
    answer = edge.request(method, f"/v2/proxy/app/sample/a/{rest}")

    assert answer.status == 404
    if method == "GET":
        assert answer.error[0] == code
        assert answer.error[1].endswith(sentence)


@pytest.mark.parametrize(
    "value", ["Bearer ", "Bearer x", "Bearer a.b.c", "Bearer " + "a" * 20_000, "x"]
)
def test_a_token_that_is_none_gets_a_challenge(edge: EdgeClient, value: str) -> None:
    answer = edge.request(
        "GET", "/v2/proxy/app/sample/a/manifests/v1", {"Authorization": value}
    )

    assert answer.status == 401
    assert (
        'scope="repository:proxy/app/sample/a:pull"'
        in (answer.headers["WWW-Authenticate"])
    )


def test_a_token_for_another_repository_is_told_what_it_lacks(pull: Pull) -> None:
    answer = pull.edge.get(f"{pull.name}-other", "manifests/v1", pull.token)

    assert answer.status == 401
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert (
        f'scope="repository:{pull.name}-other:pull"'
        in (answer.headers["WWW-Authenticate"])
    )


def test_a_token_of_the_private_registry_is_not_taken(
    edge: EdgeClient, connected: Vendor
) -> None:
    login = ("x", connected.license().license_id.reveal())
    name = f"proxy/{connected.application.slug}/sample/a"
    token = edge.token_answer(
        login, f"repository:{name}:pull", service="berth-registry"
    ).json["token"]

    answer = edge.get(name, "manifests/v1", token)

    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_pulls_are_counted_with_their_outcome(pull: Pull, connected: Vendor) -> None:
    from registries.models import PullEvent

    pull.get("manifests/v1")
    pull.get("manifests/v1")
    pull.get("manifests/v1", "HEAD")
    pull.get(f"blobs/{pull.blob.digest}")
    deadline = time.monotonic() + 15
    while not (events := list(PullEvent.objects.filter(team=connected.team))):
        assert time.monotonic() < deadline, "nothing was counted"
        time.sleep(0.2)

    (event,) = events
    assert (event.outcome, event.count, event.reference) == ("allowed", 2, "v1")
    assert event.repository == f"sample/{pull.repository}"


def pulls_of(team: Team, number: int) -> dict[str, int]:
    """Return how often each outcome was counted, once there are so many outcomes."""
    from registries.models import PullEvent

    deadline = time.monotonic() + 15
    rows = PullEvent.objects.filter(team=team).values_list("outcome", "count")
    while len(found := dict(rows.all())) < number:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


def test_pulls_that_come_to_nothing_are_counted_once(
    pull: Pull, connected: Vendor
) -> None:
    """containerd gives up at a HEAD that failed, docker goes on with the GET."""
    from registries.models import ExternalRegistry
    from registries.services import NewCredential, draft_credential, replace_credential

    replace_credential(
        actor=connected.actor,
        draft=draft_credential(
            actor=connected.actor,
            registry=ExternalRegistry.objects.get(team=connected.team),
            new=NewCredential("password", "sample", Secret("not-it")),
        ),
        result=None,
    )
    assert pull.get("manifests/v1", "HEAD").status == 502
    assert pull.get("manifests/v1", "GET").status == 502
    assert pull.get("manifests/v1", "HEAD").status == 502

    assert pulls_of(connected.team, 1) == {"registry_rejected": 2}


def test_health_is_told(edge: EdgeClient) -> None:
    assert json.loads(edge.request("GET", "/livez").body) == {"status": "ok"}
    assert edge.request("GET", "/readyz").json["checks"] == {
        "database": True,
        "schema": True,
        "redis": True,
    }


def test_metrics_need_their_token(edge: EdgeClient) -> None:
    right = {"Authorization": f"Bearer {METRICS_TOKEN}"}

    assert edge.request("GET", "/metrics").status == 401
    body = edge.request("GET", "/metrics", right).body
    assert b"\nberth_share_limit" in body
    assert b"\nberth_signing_key_end_seconds" in body
