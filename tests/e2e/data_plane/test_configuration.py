"""The files that operators change are valid as they are delivered."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from deploy.local.nginx import DEPLOYED, MODULES, NGINX
from deploy.local.process import free_port
from tests.support.servers.certificates import Authority


def test_nginx_takes_the_files_as_they_are(tmp_path: Path) -> None:
    certificate = Authority(tmp_path).issue("localhost")
    shutil.copy(DEPLOYED / "berth.conf", tmp_path)
    shutil.copytree(DEPLOYED / "berth", tmp_path / "berth")
    changes = {
        r"/etc/letsencrypt/\S+fullchain.pem": str(certificate.certificate),
        r"/etc/letsencrypt/\S+privkey.pem": str(certificate.key),
        "/etc/nginx|/var/log/nginx": str(tmp_path),
        # Only root may listen there.
        "listen 443": f"listen 127.0.0.1:{free_port()}",
        r"listen \[::\]:443": f"listen 127.0.0.1:{free_port()}",
    }
    for path in (tmp_path / "berth").glob("*.conf"):
        text = path.read_text()
        for pattern, replacement in changes.items():
            text = re.sub(pattern, replacement, text)
        path.write_text(text)
    (tmp_path / "nginx.conf").write_text(
        f"load_module {MODULES}/ndk_http_module.so;"
        f"load_module {MODULES}/ngx_http_lua_module.so;"
        f"pid {tmp_path}/pid;"
        "events {} http { include berth.conf; }"
    )

    finished = subprocess.run(
        [NGINX, "-t", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert finished.returncode == 0, finished.stderr
    assert "[warn]" not in finished.stderr
