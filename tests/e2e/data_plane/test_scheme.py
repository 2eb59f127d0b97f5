"""What Berth learns of the scheme that clients use."""

from __future__ import annotations

from pathlib import Path

import pytest
import urllib3

from deploy.local.nginx import NGINX, NginxPorts, write_configuration
from deploy.local.process import ManagedProcess, free_port
from tests.support.servers.canned_server import Answer, Request, http_server
from tests.support.servers.certificates import Authority


@pytest.mark.parametrize(
    ("line", "scheme"),
    [("", "http"), ('map "" $berth_scheme { default https; }\n', "https")],
)
def test_the_operator_may_say_that_tls_ends_before_nginx(
    tmp_path: Path, line: str, scheme: str
) -> None:
    def respond(request: Request) -> Answer:
        return Answer(200, {}, request.headers["X-Forwarded-Proto"].encode())

    directory = tmp_path / "nginx"
    directory.mkdir()
    with http_server(respond) as edge:
        ports = NginxPorts(
            **{name: free_port() for name in ("portal", "proxy", "registry")},
            **{name: free_port() for name in ("registry_tls", "behind_portal")},
            behind_registry=free_port(),
            behind_edge=edge,
        )
        certificate = Authority(tmp_path).issue("localhost")
        main = write_configuration(directory, ports, certificate)
        upstreams = directory / "berth" / "upstreams.conf"
        upstreams.write_text(f"{upstreams.read_text()}\n{line}")
        command = [NGINX, "-c", str(main), "-p", str(directory)]
        with ManagedProcess(command, name="nginx", log=tmp_path / "log") as nginx:
            url = f"http://127.0.0.1:{ports.proxy}/v2/"
            nginx.wait_for_http(url)
            # A client does not decide.
            answer = urllib3.request("GET", url, headers={"X-Forwarded-Proto": "x"})
    assert answer.data.decode() == scheme
