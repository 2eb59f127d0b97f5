from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installer.airgapping import Airgap
from tests.support.installer.command import Installer
from tests.support.installer.licenses import document, write_license
from tests.support.installer.patching import Patch, respond_as_portal
from tests.support.installer.servers import OK, Server, server
from tests.support.servers.canned_server import Answer, Request


@pytest.fixture
def installer(capsys: pytest.CaptureFixture[str]) -> Installer:
    return Installer(capsys)


@pytest.fixture
def registry() -> Iterator[Server]:
    """A registry with public, private and missing images."""

    def respond(request: Request) -> Answer:
        kind = request.path.split("/")[2]
        return {"open": OK, "closed": Answer(401)}.get(kind, Answer(404))

    with server(respond) as state:
        yield state


@pytest.fixture
def license(tmp_path: Path) -> Path:
    return write_license(tmp_path, document())


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    directory = tmp_path / "vendor"
    directory.mkdir()
    return directory


@pytest.fixture
def portal() -> Iterator[Server]:
    with server(respond_as_portal) as state:
        yield state


@pytest.fixture
def patch(
    installer: Installer,
    registry: Server,
    portal: Server,
    license: Path,
    tmp_path: Path,
) -> Patch:
    return Patch(installer, registry, portal, tmp_path)


@pytest.fixture
def airgap(installer: Installer, tmp_path: Path) -> Iterator[Airgap]:
    write_license(tmp_path, document(replicatedProxyDomain=""))
    result = Airgap(installer, tmp_path)
    with (
        server(result.public.respond) as public,
        server(result.private.respond) as proxy,
    ):
        result.public_server, result.proxy_server = public, proxy
        yield result
