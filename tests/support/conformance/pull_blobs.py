"""Pull: the entrance, and blobs whole and in parts (distribution spec, "Pulling")."""

from __future__ import annotations

from functools import partial

from tests.support.clients.edge import Answer
from tests.support.conformance.check import Category, Checks
from tests.support.conformance.client import RegistryClient, Repository, sha256

check = Checks(Category.PULL)
TEXT = b"0123456789abcdef" * 4


def _stored(client: RegistryClient) -> tuple[Repository, bytes, str]:
    repository = client.repository()
    data = TEXT + client.content("blob")
    return repository, data, repository.push_blob(data)


def _range(client: RegistryClient, text: str) -> tuple[Answer, bytes]:
    repository, data, digest = _stored(client)
    return repository.send("GET", f"blobs/{digest}", {"Range": text}), data


@check(200, Docker_Distribution_API_Version="registry/2.0")
def entrance(client: RegistryClient) -> Answer:
    return client.send("GET", "/v2/")


@check(200, Content_Type="application/octet-stream", Accept_Ranges="bytes")
def blob(client: RegistryClient) -> Answer:
    repository, data, digest = _stored(client)
    answer = repository.send("GET", f"blobs/{digest}")
    assert answer.body == data
    assert answer.headers["Docker-Content-Digest"] == digest
    return answer


@check(200)
def head_of_a_blob_is_its_get_without_a_body(client: RegistryClient) -> Answer:
    repository, data, digest = _stored(client)
    got = repository.send("GET", f"blobs/{digest}")
    head = repository.send("HEAD", f"blobs/{digest}")
    for name in ("Content-Length", "Content-Type", "Docker-Content-Digest", "ETag"):
        assert head.headers[name] == got.headers[name]
    assert (head.body, head.headers["Content-Length"]) == (b"", str(len(data)))
    return head


@check(404, "BLOB_UNKNOWN")
def unknown_blob(client: RegistryClient) -> Answer:
    repository, _, _ = _stored(client)
    return repository.send("GET", f"blobs/{sha256(client.content('never pushed'))}")


@check(404)
def head_of_an_unknown_blob(client: RegistryClient) -> Answer:
    digest = sha256(client.content("never pushed"))
    answer = client.repository().send("HEAD", f"blobs/{digest}")
    assert answer.body == b""
    return answer


@check(404, "BLOB_UNKNOWN")
def blob_of_another_repository(client: RegistryClient) -> Answer:
    _, _, digest = _stored(client)
    return client.repository("other").send("GET", f"blobs/{digest}")


@check(400, "DIGEST_INVALID")
def malformed_digest(client: RegistryClient) -> Answer:
    return client.repository().send("GET", "blobs/sha256:nonsense")


@check(400, "DIGEST_INVALID")
def digest_of_an_unknown_algorithm(client: RegistryClient) -> Answer:
    return client.repository().send("GET", f"blobs/md5:{'0' * 32}")


def _part(text: str, part: slice, client: RegistryClient) -> Answer:
    answer, data = _range(client, text)
    assert answer.body == data[part]
    start, stop, _ = part.indices(len(data))
    assert answer.headers["Content-Length"] == str(stop - start)
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(data)}"
    return answer


for name, text, part in (
    ("range_from_the_start", "bytes=0-9", slice(10)),
    ("range_in_the_middle", "bytes=20-24", slice(20, 25)),
    ("range_to_the_end", "bytes=60-", slice(60, None)),
    ("range_of_the_last_bytes", "bytes=-7", slice(-7, None)),
    ("range_longer_than_the_blob", "bytes=10-999999", slice(10, None)),
):
    check.add(name, partial(_part, text, part), 206)


@check(416)
def range_beyond_the_blob(client: RegistryClient) -> Answer:
    answer, data = _range(client, "bytes=999999-")
    assert answer.headers["Content-Range"] == f"bytes */{len(data)}"
    return answer


@check(416)
def malformed_range(client: RegistryClient) -> Answer:
    return _range(client, "bytes=nonsense")[0]


@check(304)
def blob_that_the_client_has(client: RegistryClient) -> Answer:
    repository, _, digest = _stored(client)
    has = repository.send("GET", f"blobs/{digest}").headers["ETag"]
    return repository.send("GET", f"blobs/{digest}", {"If-None-Match": has})


@check(405)
def blobs_are_not_posted_to(client: RegistryClient) -> Answer:
    repository, _, digest = _stored(client)
    return repository.send("POST", f"blobs/{digest}")
