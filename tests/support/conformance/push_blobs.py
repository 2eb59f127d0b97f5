"""Push: blobs in one piece, in chunks, as a stream, and by mount."""

from __future__ import annotations

import uuid

from tests.support.clients.edge import Answer
from tests.support.conformance.check import Category, Checks
from tests.support.conformance.client import (
    RegistryClient,
    Repository,
    location,
    sha256,
)

check = Checks(Category.PUSH)
UPLOAD = "/v2/<namespace>/image/blobs/uploads/<uuid>?_state=<state>"


def _reads(repository: Repository, data: bytes) -> None:
    answer = repository.send("GET", f"blobs/{sha256(data)}")
    assert (answer.status, answer.body) == (200, data)


def _is_missing(repository: Repository, data: bytes) -> None:
    assert repository.send("HEAD", f"blobs/{sha256(data)}").status == 404


def _first_chunk(repository: Repository) -> Answer:
    return repository.patch(repository.start_upload(), b"01234", "0-4")


@check(202, Location=UPLOAD, Docker_Upload_UUID="<uuid>", Range="0-0")
def opened_upload(client: RegistryClient) -> Answer:
    return client.repository().send("POST", "blobs/uploads/")


@check(201)
def blob_in_one_put(client: RegistryClient) -> Answer:
    repository, data = client.repository(), client.content("blob")
    finished = repository.finish_upload(repository.start_upload(), sha256(data), data)
    assert finished.headers["Docker-Content-Digest"] == sha256(data)
    assert location(finished, 201).endswith(f"{repository.name}/blobs/{sha256(data)}")
    _reads(repository, data)
    return finished


@check(202, Location=UPLOAD)
def blob_in_one_post_becomes_an_upload(client: RegistryClient) -> Answer:
    # The spec leaves a registry the choice; Distribution wants the PUT.
    repository, data = client.repository(), client.content("blob")
    query = f"digest={sha256(data)}"
    answer = repository.send("POST", f"blobs/uploads/?{query}", None, data)
    _is_missing(repository, data)
    return answer


@check(201)
def empty_blob(client: RegistryClient) -> Answer:
    repository = client.repository()
    finished = repository.finish_upload(repository.start_upload(), sha256(b""))
    _reads(repository, b"")
    return finished


@check(201)
def blob_pushed_twice(client: RegistryClient) -> Answer:
    repository, data = client.repository(), client.content("blob")
    digest = repository.push_blob(data)
    return repository.finish_upload(repository.start_upload(), digest, data)


@check(202, Range="0-4", Location=UPLOAD, Docker_Upload_UUID="<uuid>")
def first_chunk(client: RegistryClient) -> Answer:
    return _first_chunk(client.repository())


@check(202, Range="0-9")
def second_chunk(client: RegistryClient) -> Answer:
    repository = client.repository()
    first = _first_chunk(repository)
    return repository.patch(location(first, 202), b"56789", "5-9")


@check(201)
def blob_in_chunks(client: RegistryClient) -> Answer:
    repository, data = client.repository(), client.content("blob in chunks")
    first = repository.patch(repository.start_upload(), data[:5], "0-4")
    more = f"5-{len(data) - 1}"
    second = repository.patch(location(first, 202), data[5:], more)
    finished = repository.finish_upload(location(second, 202), sha256(data))
    _reads(repository, data)
    return finished


@check(201)
def last_chunk_in_the_put(client: RegistryClient) -> Answer:
    repository, data = client.repository(), client.content("blob in chunks")
    first = repository.patch(repository.start_upload(), data[:5], "0-4")
    last = repository.finish_upload(location(first, 202), sha256(data), data[5:])
    _reads(repository, data)
    return last


# Distribution 2.8 does not read Content-Range, where the spec (and 3.0) says 416. What
# a chunk in the wrong place makes is caught by the digest at the end.


@check(400, "DIGEST_INVALID")
def chunk_out_of_order(client: RegistryClient) -> Answer:
    repository, data = client.repository(), client.content("blob in chunks")
    upload = location(repository.patch(repository.start_upload(), data[:5], "0-4"), 202)
    upload = location(repository.patch(upload, data[10:], f"10-{len(data) - 1}"), 202)
    answer = repository.finish_upload(upload, sha256(data), data[5:10])
    _is_missing(repository, data)
    return answer


@check(400, "DIGEST_INVALID")
def chunk_sent_again(client: RegistryClient) -> Answer:
    repository, data = client.repository(), client.content("blob in chunks")
    upload = repository.start_upload()
    for _ in range(2):
        upload = location(repository.patch(upload, data[:5], "0-4"), 202)
    answer = repository.finish_upload(upload, sha256(data), data[5:])
    _is_missing(repository, data)
    return answer


@check(202, Range="0-4")
def first_chunk_not_at_the_start(client: RegistryClient) -> Answer:
    repository = client.repository()
    return repository.patch(repository.start_upload(), b"56789", "5-9")


@check(202)
def streamed_chunk(client: RegistryClient) -> Answer:
    repository, data = client.repository(), client.content("streamed blob")
    streamed = repository.patch(repository.start_upload(), [data[:5], data[5:]])
    upload = location(streamed, 202)
    assert streamed.headers["Range"] == f"0-{len(data) - 1}"
    assert repository.finish_upload(upload, sha256(data)).status == 201
    _reads(repository, data)
    return streamed


@check(500, "UNKNOWN")
def chunk_of_another_content_type(client: RegistryClient) -> Answer:
    # Distribution 2.8 says that it is the one to blame.
    upload = client.repository().start_upload()
    return client.send("PATCH", upload, {"Content-Type": "text/plain"}, b"01234")


@check(204, Range="0-0", Location=UPLOAD, Docker_Upload_UUID="<uuid>")
def status_of_a_fresh_upload(client: RegistryClient) -> Answer:
    return client.send("GET", client.repository().start_upload())


@check(204, Range="0-4", Location=UPLOAD)
def status_of_an_upload(client: RegistryClient) -> Answer:
    first = _first_chunk(client.repository())
    return client.send("GET", location(first, 202))


@check(204, Range="0-4")
def head_of_an_upload(client: RegistryClient) -> Answer:
    first = _first_chunk(client.repository())
    return client.send("HEAD", location(first, 202))


@check(404, "BLOB_UPLOAD_INVALID")
def status_of_an_unknown_upload(client: RegistryClient) -> Answer:
    return client.repository().send("GET", f"blobs/uploads/{uuid.UUID(int=7)}")


@check(204)
def cancelled_upload(client: RegistryClient) -> Answer:
    upload = client.repository().start_upload()
    cancelled = client.send("DELETE", upload)
    assert client.send("GET", upload).status == 404
    return cancelled


@check(404, "BLOB_UPLOAD_UNKNOWN")
def chunk_of_a_cancelled_upload(client: RegistryClient) -> Answer:
    repository = client.repository()
    upload = repository.start_upload()
    assert client.send("DELETE", upload).status == 204
    return repository.patch(upload, b"01234", "0-4")


@check(404, "BLOB_UPLOAD_UNKNOWN")
def finish_of_a_finished_upload(client: RegistryClient) -> Answer:
    repository, data = client.repository(), client.content("blob")
    upload = repository.start_upload()
    assert repository.finish_upload(upload, sha256(data), data).status == 201
    return repository.finish_upload(upload, sha256(data), data)


@check(404, "BLOB_UPLOAD_INVALID")
def upload_of_another_repository(client: RegistryClient) -> Answer:
    repository, other = client.repository(), client.repository("other")
    moved = repository.start_upload().replace(repository.name, other.name)
    return other.patch(moved, b"01234", "0-4")


@check(400, "DIGEST_INVALID")
def finish_with_another_digest(client: RegistryClient) -> Answer:
    repository, data = client.repository(), client.content("blob")
    promised = client.content("another blob")
    upload = repository.start_upload()
    answer = repository.finish_upload(upload, sha256(promised), data)
    _is_missing(repository, promised)
    _is_missing(repository, data)
    return answer


@check(400, "DIGEST_INVALID")
def finish_without_a_digest(client: RegistryClient) -> Answer:
    return client.send("PUT", client.repository().start_upload(), None, b"01234")


@check(400, "DIGEST_INVALID")
def finish_with_a_malformed_digest(client: RegistryClient) -> Answer:
    repository = client.repository()
    return repository.finish_upload(repository.start_upload(), "nonsense", b"01234")


@check(201)
def mount_of_a_known_blob(client: RegistryClient) -> Answer:
    source, target = client.repository("source"), client.repository()
    data = client.content("mounted blob")
    mounted = target.mount(mount=source.push_blob(data), **{"from": source.name})
    assert location(mounted, 201).endswith(f"{target.name}/blobs/{sha256(data)}")
    _reads(target, data)
    return mounted


@check(202, Location=UPLOAD)
def mount_of_an_unknown_blob(client: RegistryClient) -> Answer:
    source, target = client.repository("source"), client.repository()
    source.push_blob(client.content("another blob"))
    digest = sha256(client.content("never pushed"))
    return target.mount(mount=digest, **{"from": source.name})


@check(202, Location=UPLOAD)
def mount_from_an_unknown_repository(client: RegistryClient) -> Answer:
    digest = sha256(client.content("never pushed"))
    unknown = client.repository("none").name
    return client.repository().mount(mount=digest, **{"from": unknown})


@check(202, Location=UPLOAD)
def mount_from_nowhere(client: RegistryClient) -> Answer:
    digest = client.repository("source").push_blob(client.content("blob"))
    return client.repository().mount(mount=digest)


@check(202, Location=UPLOAD)
def mount_of_a_malformed_digest(client: RegistryClient) -> Answer:
    source = client.repository("source").name
    return client.repository().mount(mount="nonsense", **{"from": source})
