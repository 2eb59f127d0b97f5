"""With nginx in front, rights end within one second for tokens issued before, too."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import pytest

from licenses.models import License
from licenses.services import (
    archive_customer,
    revoke_license,
    revoke_pull_credential,
)
from registries.models import PullEvent
from teams.api_tokens import revoke_api_token
from teams.permissions import Role
from teams.services import change_member_role, remove_member
from tests.e2e.registry.conftest import (
    Pushed,
    Registry,
    bearer,
    member,
    path_of,
    user_token,
)
from tests.support.clients.download import SOON, begin
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.rows.factories import pull_credential
from tests.support.rows.vendor import Vendor
from tests.support.servers.hostile_upstream import HostileUpstream


def refused_within_a_second(ask: Callable[[], Answer]) -> Answer:
    """Ask until the answer is a refusal; the clock starts at the first question."""
    started = time.monotonic()
    while (answer := ask()).status < 300:
        assert time.monotonic() - started < 1.0, "still allowed after a second"
    assert time.monotonic() - started <= 1.0
    assert answer.status == 401
    return answer


def _revoke(vendor: Vendor, license: License) -> None:
    revoke_license(actor=vendor.actor, license=license, reason="test")


def _archive(vendor: Vendor, license: License) -> None:
    archive_customer(actor=vendor.actor, customer=vendor.customer)


@pytest.mark.parametrize(
    ("end", "sentence"),
    [(_revoke, "This license was revoked on "), (_archive, "This license belongs to")],
)
def test_a_license_that_ends_stops_its_tokens(
    registry: Registry,
    vendor: Vendor,
    pushed: Pushed,
    end: Callable[[Vendor, License], None],
    sentence: str,
) -> None:
    license = vendor.license()
    login = ("any", license.license_id.reveal())
    token = registry.token(login, f"repository:{pushed.repository}:pull")
    paths = [pushed.layer_path, pushed.manifest_path]
    for path in paths:
        assert registry.client.request("GET", path, bearer(token)).status == 200

    end(vendor, license)

    for path in paths:
        answer = refused_within_a_second(
            partial(registry.client.request, "GET", path, bearer(token))
        )
        assert answer.error[0] == "DENIED"
        assert answer.error[1].startswith(sentence)
    # Nothing else changed: the registry itself still takes the token.
    assert registry.direct.request("GET", paths[0], bearer(token)).status == 200


def test_a_login_right_after_a_revocation_learns_why(
    registry: Registry, vendor: Vendor, pushed: Pushed
) -> None:
    license = vendor.license()
    login = ("any", license.license_id.reveal())
    scope = f"repository:{pushed.repository}:pull"
    ask = partial(registry.client.request, "GET", pushed.manifest_path)
    assert ask(bearer(registry.token(login, scope))).status == 200

    _revoke(vendor, license)
    # This token grants nothing, while the edge remembers that the pull was allowed.
    answer = ask(bearer(registry.token(login, scope)))

    assert answer.status == 401
    assert answer.error[0] == "DENIED"
    assert answer.error[1].startswith("This license was revoked on ")


def test_a_revoked_pull_credential_stops_its_tokens_and_no_others(
    registry: Registry, vendor: Vendor, pushed: Pushed
) -> None:
    license = vendor.license()
    credential, text = pull_credential(license)
    scope = f"repository:{pushed.repository}:pull"
    secrets = [text, pull_credential(license)[1], license.license_id.reveal()]
    token, *others = [registry.token(("any", secret), scope) for secret in secrets]
    ask = partial(registry.client.request, "GET", pushed.layer_path)
    assert ask(bearer(token)).status == 200

    revoke_pull_credential(actor=vendor.actor, credential=credential)

    answer = refused_within_a_second(partial(ask, bearer(token)))
    assert answer.error[0] == "DENIED"
    assert answer.error[1].startswith("This pull credential was revoked on ")
    for other in others:
        assert ask(bearer(other)).status == 200


def test_a_push_stops_between_two_chunks(
    registry: Registry, vendor: Vendor, pushed: Pushed
) -> None:
    api_token, login = user_token(vendor)
    token = registry.token(login, f"repository:{pushed.repository}:pull,push")
    answer = registry.client.request(
        "POST", f"/v2/{pushed.repository}/blobs/uploads/", bearer(token)
    )
    sent = 0

    def send_chunk() -> Answer:
        nonlocal answer, sent
        headers = {"Content-Range": f"{sent}-{sent + 3}"} | bearer(token)
        answered = registry.client.request("PATCH", path_of(answer), headers, b"data")
        if answered.status == 202:
            answer = answered
            sent += 4
        return answered

    assert send_chunk().status == 202
    revoke_api_token(actor=vendor.actor, api_token=api_token)

    refused = refused_within_a_second(send_chunk)
    assert refused.error[1].startswith("No known login came with this request.")
    status = registry.client.request(
        "GET",
        path_of(answer),
        bearer(
            registry.token(
                user_token(vendor)[1], f"repository:{pushed.repository}:pull"
            )
        ),
    )
    assert status.headers["Range"] == f"0-{sent - 1}"


def test_a_removed_member_and_a_smaller_role_stop_pushing(
    registry: Registry, vendor: Vendor, pushed: Pushed
) -> None:
    membership = member(vendor, Role.DEVELOPER)
    login = user_token(vendor, membership.user)[1]
    token = registry.token(login, f"repository:{pushed.repository}:pull,push")
    before = registry.stored()

    def begin() -> Answer:
        return registry.client.request(
            "POST", f"/v2/{pushed.repository}/blobs/uploads/", bearer(token)
        )

    change_member_role(actor=vendor.actor, membership=membership, role=Role.SUPPORT)
    answer = refused_within_a_second(begin)
    assert answer.error[1].startswith("Your role may not push images.")

    change_member_role(actor=vendor.actor, membership=membership, role=Role.DEVELOPER)
    remove_member(actor=vendor.actor, membership=membership)
    time_up = time.monotonic() + 1
    while "No known login" not in (answer := begin()).body.decode():
        assert time.monotonic() < time_up
    assert answer.status == 401
    assert not {item for item in registry.stored() - before if "manifests" in item}


def test_refused_pulls_are_counted_for_the_vendor(
    edge: EdgeClient, registry: Registry, vendor: Vendor, pushed: Pushed
) -> None:
    license = vendor.license()
    login = ("any", license.license_id.reveal())
    token = registry.token(login, f"repository:{pushed.repository}:pull")
    revoke_license(actor=vendor.actor, license=license, reason="test")
    for method in ("HEAD", "GET"):
        registry.client.request(method, pushed.manifest_path, bearer(token))
    # Without nginx the pull ends at the token, before the client names a tag.
    edge.token_answer(
        login, f"repository:{pushed.repository}:pull", service="berth-registry"
    )

    deadline = time.monotonic() + 15
    while PullEvent.objects.count() < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    counted = PullEvent.objects.order_by("reference")
    assert [(item.image, item.count) for item in counted] == [
        ("worker", 1),
        ("worker:v1", 1),
    ]
    for event in counted:
        assert event.is_private
        assert event.registry_slug == "private-registry"
        assert event.outcome == "license_revoked"
        assert event.license_id == license.pk
        assert event.application_slug == vendor.application.slug


def test_a_download_from_the_proxy_breaks_off_behind_nginx(
    registry: Registry, vendor: Vendor, hostile: HostileUpstream
) -> None:
    vendor.connect(hostile.endpoint, "large")
    license = vendor.license()
    proxy = EdgeClient(
        registry.proxy_host, registry.client.process, registry.client.log
    )
    download = begin(proxy, vendor, license)
    download.read_for(0.5)

    revoke_license(actor=vendor.actor, license=license, reason="test")

    assert download.seconds_until_it_breaks_off() < SOON
