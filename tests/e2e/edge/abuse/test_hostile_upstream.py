"""Registries that lie, stall, break off and point elsewhere."""

from __future__ import annotations

import socket
import time

import pytest
import urllib3

from registries.models import CredentialCheck
from tests.e2e.conftest import SIZE_LIMIT
from tests.e2e.edge.conftest import DIGEST, Victim, no_connection_left_open
from tests.support.clients.edge import EdgeClient
from tests.support.objects.object_registry import digest_of
from tests.support.rows.vendor import Vendor
from tests.support.servers.hostile_upstream import (
    BODY_SECRET,
    ODD,
    REDIRECTED,
    TEN_BYTES,
    HostileUpstream,
)

PASSWORD = "upstream-password-9d2c"


def test_a_realm_of_strangers_gets_no_credential(
    victim: Victim, elsewhere: HostileUpstream
) -> None:
    elsewhere.requests.clear()

    answer = victim.get("realm-elsewhere", "manifests/v1")

    assert answer.status == 502
    assert "is not trusted with its credential" in answer.error[1]
    assert elsewhere.requests == []
    assert all("authorization" not in seen for seen in victim.seen("realm-elsewhere"))


def test_a_realm_that_the_vendor_trusts_gets_it(
    strict_edge: EdgeClient,
    vendor: Vendor,
    hostile: HostileUpstream,
    elsewhere: HostileUpstream,
) -> None:
    elsewhere.requests.clear()
    vendor.connect(hostile.endpoint, "evil", trusted_realm=elsewhere.endpoint)
    license_id = vendor.license().license_id.reveal()
    name = f"proxy/{vendor.application.slug}/evil/realm-elsewhere/x"

    strict_edge.get(name, "manifests/v1", strict_edge.token(license_id, name))

    (seen,) = elsewhere.requests
    assert seen.headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize("behaviour", ["redirect-metadata"])
def test_a_redirect_to_an_address_that_is_not_public_is_refused(
    victim: Victim, behaviour: str
) -> None:
    answer = victim.get(behaviour)

    assert answer.status == 502
    assert "its address is not public" in answer.error[1]


def test_a_registry_at_an_address_that_is_not_public_is_refused(
    strict_edge: EdgeClient, vendor: Vendor
) -> None:
    """127.0.0.2 is loopback, and only 127.0.0.1 is opened in these tests."""
    listener = socket.create_server(("127.0.0.2", 0))
    listener.settimeout(0.2)
    vendor.connect(f"127.0.0.2:{listener.getsockname()[1]}", "inside")
    license_id = vendor.license().license_id.reveal()
    name = f"proxy/{vendor.application.slug}/inside/a"

    answer = strict_edge.get(name, "manifests/v1", strict_edge.token(license_id, name))

    assert answer.status == 502
    assert "its address is not public" in answer.error[1]
    with pytest.raises(TimeoutError):
        listener.accept()
    listener.close()


def test_a_redirect_takes_no_credential_along(
    victim: Victim, elsewhere: HostileUpstream
) -> None:
    elsewhere.requests.clear()

    answer = victim.get("redirect-elsewhere", f"blobs/{digest_of(REDIRECTED)}")

    assert (answer.status, answer.body) == (200, REDIRECTED)
    assert "authorization" in victim.seen("redirect-elsewhere")[-1]
    (seen,) = elsewhere.requests
    assert "authorization" not in seen.headers


def test_redirects_without_end_end(victim: Victim) -> None:
    answer = victim.get("redirect-loop")

    assert (answer.status, answer.error[0]) == (502, "UNAVAILABLE")
    assert len(victim.seen("redirect-loop")) == 6


def test_an_endless_blob_is_cut_off(victim: Victim) -> None:
    response = victim.open("endless")
    received: list[int] = []

    with pytest.raises((urllib3.exceptions.ProtocolError, ConnectionError)):
        received.extend(len(chunk) for chunk in response.stream(2**16))

    assert sum(received) <= SIZE_LIMIT
    no_connection_left_open(victim)


def test_an_endless_manifest_is_told(victim: Victim) -> None:
    answer = victim.get("endless", "manifests/v1")

    assert (answer.status, answer.error[0]) == (502, "UNAVAILABLE")
    assert answer.error[1] == (
        "The registry of evil sent more than 8388608 bytes of manifests. "
        "Contact your vendor."
    )
    no_connection_left_open(victim)


@pytest.mark.parametrize("behaviour", ["lying-long", "cut"])
def test_a_body_that_breaks_off_reaches_the_client_as_incomplete(
    victim: Victim, behaviour: str
) -> None:
    response = victim.open(behaviour)

    with pytest.raises((urllib3.exceptions.ProtocolError, ConnectionError)):
        response.read()

    no_connection_left_open(victim)


def test_a_manifest_that_breaks_off_is_told_in_words(victim: Victim) -> None:
    answer = victim.get("lying-long", "manifests/v1")

    assert answer.status == 502
    label = victim.hostile.endpoint
    assert answer.error[1] == f"The registry {label} broke off its answer."


def test_more_bytes_than_announced_are_not_passed_on(victim: Victim) -> None:
    answer = victim.get("lying-short", f"blobs/{digest_of(TEN_BYTES)}")

    assert (answer.status, answer.body) == (200, TEN_BYTES)
    no_connection_left_open(victim)


def test_more_bytes_than_announced_in_one_go_are_no_http(victim: Victim) -> None:
    answer = victim.get("lying-at-once", f"blobs/{digest_of(TEN_BYTES)}")

    assert (answer.status, answer.error[0]) == (502, "UNAVAILABLE")
    no_connection_left_open(victim)


def test_a_trickle_is_cut_off(victim: Victim) -> None:
    started = time.monotonic()
    response = victim.open("drip")

    with pytest.raises((urllib3.exceptions.ProtocolError, ConnectionError)):
        response.read()

    assert time.monotonic() - started < 10
    no_connection_left_open(victim)


def test_no_answer_in_time_is_504(victim: Victim) -> None:
    answer = victim.get("hang")

    assert (answer.status, answer.error[0]) == (504, "UNAVAILABLE")
    assert "did not answer in time" in answer.error[1]
    no_connection_left_open(victim)


@pytest.mark.parametrize("behaviour", ["head-drip", "token-drip"])
def test_an_answer_that_never_begins_is_504(victim: Victim, behaviour: str) -> None:
    started = time.monotonic()

    answer = victim.get(behaviour)

    assert (answer.status, answer.error[0]) == (504, "UNAVAILABLE")
    assert time.monotonic() - started < 10
    no_connection_left_open(victim)


@pytest.mark.parametrize(
    "behaviour",
    [
        "redirect-login",
        "redirect-port",
        "redirect-label",
        "redirect-long",
        "redirect-nowhere",
        "redirect-file",
        "redirect-plain",
        "deep-token",
    ],
)
def test_nonsense_is_502(victim: Victim, behaviour: str) -> None:
    answer = victim.get(behaviour)

    assert (answer.status, answer.error[0]) == (502, "UNAVAILABLE")


@pytest.mark.parametrize("scheme", ["ws", "capitals", "wss", "tcp", "ftp", "unix"])
def test_redirects_lead_to_http_and_https_alone(
    victim: Victim, elsewhere: HostileUpstream, scheme: str
) -> None:
    """The HTTP client would send a plain GET to a ws:// address."""
    elsewhere.requests.clear()

    answer = victim.get(f"redirect-{scheme}")

    assert (answer.status, answer.error[0]) == (502, "UNAVAILABLE")
    assert elsewhere.requests == []


def test_a_realm_of_another_scheme_gets_no_credential(victim: Victim) -> None:
    answer = victim.get("realm-ws", "manifests/v1")

    assert answer.status == 502
    assert "is not trusted with its credential" in answer.error[1]
    assert all("authorization" not in seen for seen in victim.seen("realm-ws"))


def test_an_absurd_expiry_is_502_or_taken_as_long(victim: Victim) -> None:
    """What matters: the number does no harm, and the token is not kept for ever."""
    answer = victim.get("long-expiry")

    assert answer.status == 502


def test_headers_that_http_does_not_allow_are_left_out(victim: Victim) -> None:
    answer = victim.get("odd-headers", f"blobs/{digest_of(ODD)}")

    assert (answer.status, answer.body) == (200, ODD)
    assert answer.headers["Docker-Content-Digest"] == "fine"
    assert not {"ETag", "Warning", "Content-Range"} & set(answer.headers)


def test_an_odd_wait_is_left_out(victim: Victim) -> None:
    answer = victim.get("odd-limit", "manifests/v1")

    assert answer.status == 429
    assert "Retry-After" not in answer.headers


def test_not_modified_has_no_length(victim: Victim) -> None:
    answer = victim.get("not-modified", "manifests/v1")

    assert (answer.status, answer.body) == (304, b"")


def test_a_permission_given_upstream_is_felt_by_the_next_pull(victim: Victim) -> None:
    """A refused token is not kept: the second pull asks for a new one."""
    for _ in range(2):
        victim.get("refuses-token")

    asked = victim.hostile.requests_for("refuses-token-answer")
    assert len(asked) == 2


def test_a_refused_connection_is_502(strict_edge: EdgeClient, vendor: Vendor) -> None:
    vendor.connect("127.0.0.1:9", "closed")
    license_id = vendor.license().license_id.reveal()
    name = f"proxy/{vendor.application.slug}/closed/a"

    answer = strict_edge.get(
        name, "blobs/" + DIGEST, strict_edge.token(license_id, name)
    )

    assert answer.status == 502
    assert "it refused the connection" in answer.error[1]


def test_a_rate_limit_stays_one(victim: Victim) -> None:
    answer = victim.get("limited", "manifests/v1")

    assert (answer.status, answer.error[0]) == (429, "TOOMANYREQUESTS")
    assert answer.headers["Retry-After"] == "17"


@pytest.mark.parametrize(
    ("behaviour", "status", "sentence"),
    [
        ("fault", 502, "answered 500"),
        ("no-challenge", 502, "asks to sign in without saying how"),
        ("garbage", 502, "broke the connection"),
        ("huge-token", 502, "token service"),
        ("odd-token", 502, "token service that gave no token"),
        ("forbids", 502, "does not let your vendor's account read this repository"),
        ("rejects", 502, "refused the credential that your vendor stored"),
        ("not-there", 404, "Not found in the registry"),
    ],
)
def test_failures_are_told_and_bodies_never_passed_on(
    victim: Victim, behaviour: str, status: int, sentence: str
) -> None:
    answer = victim.get(behaviour)

    assert answer.status == status
    assert sentence in answer.error[1]
    assert BODY_SECRET not in answer.body.decode()
    assert PASSWORD not in answer.body.decode() + str(answer.headers)


def test_a_rejected_credential_is_sent_to_no_more_than_it_takes(
    victim: Victim,
) -> None:
    victim.get("rejects")

    sent = [seen for seen in victim.seen("rejects") if "authorization" in seen]
    assert len(sent) == 1
    assert CredentialCheck.objects.count() == 0  # queued for the worker, not run here


def test_a_client_that_leaves_closes_the_upstream(victim: Victim) -> None:
    response = victim.open("flood")
    response.read(2**20)

    response.close()

    no_connection_left_open(victim)


def test_a_slow_client_slows_the_upstream(victim: Victim) -> None:
    response = victim.open("flood")
    response.read(2**16)
    time.sleep(1)
    sent = victim.hostile.sent["flood"]
    time.sleep(1)

    assert victim.hostile.sent["flood"] == sent, "the upstream went on sending"
    # What lies in the buffers of three sockets and of the edge.
    assert sent < 16 * 2**20
    response.close()
    no_connection_left_open(victim)
