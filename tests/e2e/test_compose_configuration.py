"""nginx's files of ``deploy/compose`` fit those of ``deploy/nginx`` and the image."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from deploy.local.demo_settings import PROJECT
from deploy.local.nginx import DEPLOYED, MODULES, NGINX
from deploy.local.process import free_port
from tests.support.servers.certificates import Authority

COMPOSE = PROJECT / "deploy/compose/nginx"


def test_nginx_takes_the_files_of_compose(tmp_path: Path) -> None:
    certificate = Authority(tmp_path).issue("localhost")
    shutil.copytree(DEPLOYED / "berth", tmp_path / "berth")
    shutil.copytree(COMPOSE, tmp_path / "berth", dirs_exist_ok=True)
    shutil.copy(DEPLOYED / "berth.conf", tmp_path)
    shutil.copy(PROJECT / "deploy/image/nginx.conf", tmp_path)
    (tmp_path / "log").mkdir()
    changes = {
        r"include /etc/nginx/modules-enabled/\*.conf;": (
            f"load_module {MODULES}/ndk_http_module.so;"
            f"load_module {MODULES}/ngx_http_lua_module.so;"
        ),
        "/run/tls/fullchain.pem": str(certificate.certificate),
        "/run/tls/privkey.pem": str(certificate.key),
        "/etc/nginx/berth": f"{tmp_path}/berth",
        "/var/lib/berth": str(tmp_path),
        "/tmp/nginx": f"{tmp_path}/nginx",  # noqa: S108
        # Names that only the containers know.
        r"server (portal|edge|registry):": "server 127.0.0.1:",
        **{f"listen {port}": f"listen {free_port()}" for port in (8080, 8081, 8443)},
    }
    for path in (*tmp_path.glob("*.conf"), *(tmp_path / "berth").glob("*.conf")):
        text = path.read_text()
        for pattern, replacement in changes.items():
            text = re.sub(pattern, replacement, text)
        path.write_text(text)

    finished = subprocess.run(
        [NGINX, "-t", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert finished.returncode == 0, finished.stderr
    assert "[warn]" not in finished.stderr


def test_compose_replaces_each_file_that_is_the_operators() -> None:
    replaced = {path.name for path in COMPOSE.iterdir()}

    hosts = {path.name for path in (DEPLOYED / "berth").glob("*-host.conf")}
    assert replaced == {"upstreams.conf", *hosts}
