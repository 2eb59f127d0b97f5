"""The list of all repositories, mounts between repositories, and forged headers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from oci.media_types import OCI_INDEX
from teams.permissions import Role
from teams.services import add_member, remove_member
from tests.e2e.registry.conftest import (
    Pushed,
    Registry,
    bearer,
    path_of,
    user_token,
)
from tests.support.clients.edge import Answer
from tests.support.rows.vendor import PASSWORD, Vendor, create_vendor


@dataclass(frozen=True, slots=True)
class Reader:
    """A registry token for two repositories, of which its holder has lost one."""

    token: str
    source: str
    target: str


@pytest.mark.parametrize("who", ["license", "owner", "anonymous"])
def test_nobody_lists_all_repositories(
    registry: Registry,
    vendor: Vendor,
    pushed: Pushed,
    owner_login: tuple[str, str],
    who: str,
) -> None:
    login = {
        "license": ("any", vendor.license().license_id.reveal()),
        "owner": owner_login,
        "anonymous": None,
    }[who]
    token = registry.token(login, "registry:catalog:*")

    for client in (registry.client, registry.direct):
        for headers in (bearer(token), {}):
            for path in ("/v2/_catalog", "/v2/_catalog?n=10", "/v2/%5fcatalog"):
                answer = client.request("GET", path, headers)
                assert answer.status == 401
                assert pushed.repository not in answer.body.decode()
    answer = registry.client.request("GET", "/v2/_catalog", bearer(token))
    assert answer.error[1].startswith("The list of all repositories is not available.")
    assert 'scope="registry:catalog:*"' in answer.headers["WWW-Authenticate"]


def mount(
    registry: Registry,
    login: tuple[str, str],
    source: Pushed,
    target: str,
    *,
    asked: bool = True,
) -> Answer:
    """Ask for a blob of one repository to be put into another."""
    scopes = [f"repository:{target}:pull,push"]
    if asked:
        scopes.append(f"repository:{source.repository}:pull")
    return registry.client.request(
        "POST",
        f"/v2/{target}/blobs/uploads/?mount={source.layer}"
        f"&from={quote(source.repository, safe='')}",
        bearer(registry.token(login, *scopes)),
    )


def test_a_blob_is_mounted_from_what_the_holder_may_read(
    registry: Registry, vendor: Vendor, pushed: Pushed, owner_login: tuple[str, str]
) -> None:
    other = vendor.another_application(f"{vendor.team.slug}-mounts").slug

    same = mount(registry, owner_login, pushed, f"{vendor.application.slug}/second")
    across = mount(registry, owner_login, pushed, f"{other}/worker")

    assert (same.status, across.status) == (201, 201)


def test_a_blob_of_another_team_is_not_mounted_nor_read(
    registry: Registry, vendor: Vendor, pushed: Pushed
) -> None:
    stranger = create_vendor()
    login = user_token(stranger)[1]
    target = f"{stranger.application.slug}/stolen"
    before = registry.stored()

    for asked in (True, False):
        answer = mount(registry, login, pushed, target, asked=asked)
        assert answer.status == 401
        assert answer.error[1].startswith("This login does not include the application")
        scope = answer.headers["WWW-Authenticate"].partition("scope=")[2]
        assert f"repository:{target}:pull,push" in scope
        assert f"repository:{pushed.repository}:pull" in scope

    assert registry.stored() == before
    token = registry.token(login, f"repository:{target}:pull")
    for client in (registry.client, registry.direct):
        for name in (target, pushed.repository):
            path = f"/v2/{name}/blobs/{pushed.layer}"
            assert client.request("GET", path, bearer(token)).status in {401, 404}


def reader_no_more(source: Vendor, target: Vendor, registry: Registry) -> Reader:
    """Return somebody whose token still names a source that they just lost.

    An account's password speaks for all teams of its user.
    """
    target.give_owner_a_password()
    lost = add_member(
        actor=source.actor, team=source.team, user=target.owner, role=Role.DEVELOPER
    )
    repositories = [f"{item.application.slug}/worker" for item in (source, target)]
    token = registry.token(
        (target.owner.email, PASSWORD),
        *(f"repository:{item}:pull,push" for item in repositories),
    )
    remove_member(actor=source.actor, membership=lost)
    return Reader(token, *repositories)


FORMS = [
    "application/x-www-form-urlencoded",
    "Multipart/Form-Data; boundary=b",
    # Go trims a no-break space, and lowers the Turkish I with its dot to an i.
    "\u00a0application/x-www-form-urlencoded",
    "appl\u0130cation/x-www-form-urlencoded",
    "application/vnd.form, application/x-www-form-urlencoded",
]


@pytest.mark.parametrize("content_type", FORMS)
def test_a_mount_is_not_hidden_in_a_body(
    registry: Registry, vendor: Vendor, pushed: Pushed, content_type: str
) -> None:
    reader = reader_no_more(vendor, create_vendor(), registry)
    path = f"/v2/{reader.target}/blobs/uploads/"
    fields = f"mount={pushed.layer}&from={reader.source}"
    assert pushed.repository == reader.source

    refused = registry.client.request("POST", f"{path}?{fields}", bearer(reader.token))
    hidden = registry.client.request(
        "POST",
        path,
        # As bytes: UTF-8 as it is, which is what Distribution takes it for.
        bearer(reader.token)
        | {"Content-Type": content_type.encode().decode("latin-1")},
        fields.encode(),
    )

    # An upload begins as if nothing was said of a mount.
    assert (refused.status, hidden.status) == (401, 202)
    assert "/blobs/uploads/" in path_of(hidden)
    layer = registry.direct.request(
        "GET", f"/v2/{reader.target}/blobs/{pushed.layer}", bearer(reader.token)
    )
    assert layer.status == 404


def test_types_of_manifests_pass_as_they_are(
    registry: Registry, vendor: Vendor, owner_login: tuple[str, str]
) -> None:
    name = f"{vendor.application.slug}/typed"
    token = registry.token(owner_login, f"repository:{name}:pull,push")
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})

    answers = {
        said: registry.client.request(
            "PUT",
            f"/v2/{name}/manifests/v1",
            bearer(token) | {"Content-Type": said},
            index.encode(),
        ).status
        for said in (OCI_INDEX, f"{OCI_INDEX}; charset=utf-8", "text/plain")
    }

    assert answers == {
        OCI_INDEX: 201,
        f"{OCI_INDEX}; charset=utf-8": 201,
        "text/plain": 400,
    }


@pytest.mark.parametrize("header", ["X-Original-URI", "x-original-uri"])
def test_forged_headers_do_nothing(
    registry: Registry, vendor: Vendor, pushed: Pushed, header: str
) -> None:
    stranger = create_vendor()
    login = user_token(stranger)[1]
    own = f"{stranger.application.slug}/worker"
    token = registry.token(login, f"repository:{own}:pull,push")
    forged = bearer(token) | {
        header: f"/v2/{own}/manifests/v1",
        "X-Original-Method": "GET",
        "X-Original_URI": f"/v2/{own}/manifests/v1",
    }

    read = registry.client.request("GET", pushed.manifest_path, forged)
    written = registry.client.request(
        "PUT", pushed.manifest_path, forged | {"Content-Type": "text/plain"}, b"{}"
    )

    assert (read.status, written.status) == (401, 401)
    assert read.error[1].startswith("This login does not include the application")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/_authorize", 404),
        ("/v2/_refusal", 404),
        ("/_decision", 404),
        ("/", 404),
        ("/v2/proxy/a/b/c/manifests/v1", 401),
    ],
)
def test_the_question_is_no_address_of_the_registry(
    registry: Registry, pushed: Pushed, path: str, status: int
) -> None:
    asked = {"X-Original-Method": "GET", "X-Original-URI": "/v2/"}

    assert registry.client.request("GET", path, asked).status == status


@pytest.mark.parametrize(
    "spelling",
    [
        "/v2/{own}/../../{theirs}/worker/manifests/v1",
        "/v2/{own}%2f..%2f..%2f{theirs}/worker/manifests/v1",
        "//v2/{theirs}/worker/manifests/v1",
        "/v2//{theirs}/worker/manifests/v1",
        "/v2/./{theirs}/worker/manifests/v1",
        "/v2/{theirs}%2fworker/manifests/v1",
        "/v2/{theirs}/worker/manifests/v1/",
        "/v2/{own}/worker/manifests/v1?/../../../../{theirs}/worker/manifests/v1",
        "/v2/{theirs}/worker/manifests/v1?from=%zz",
        "/v2/{theirs}/worker/manifests/v1%23",
        "/v2/{theirs}/worker/manifests/v1;/v2/{own}/worker/manifests/v1",
    ],
)
def test_no_spelling_reaches_another_teams_image(
    registry: Registry, vendor: Vendor, pushed: Pushed, spelling: str
) -> None:
    stranger = create_vendor()
    login = user_token(stranger)[1]
    own = stranger.application.slug
    token = registry.token(
        login, f"repository:{own}/worker:pull,push", f"repository:{own}:pull"
    )

    path = spelling.format(own=own, theirs=vendor.application.slug)
    answer = raw_get(registry, path, token)

    assert answer.partition(b" ")[2][:3] in {b"400", b"401", b"404"}
    assert b"schemaVersion" not in answer


def raw_get(registry: Registry, target: str, token: str) -> bytes:
    """Send a request line exactly as given, which HTTP libraries would tidy up."""
    import socket

    host, _, port = registry.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nHost: {registry.host}\r\n"
            f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode()
        )
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)
