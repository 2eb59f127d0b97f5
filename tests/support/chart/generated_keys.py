"""The keys that the chart makes for a trial: usable, and left alone by an upgrade.

Helm sees that they are there by asking Kubernetes, here a small server in its place.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from portal.crypto.keyring import Keyring, LookupKeyring
from registries.tokens.signing_keys import (
    SigningKey,
    is_issued_by,
    load_roots,
    renew_leaf,
)
from tests.support.servers.canned_server import Answer, Request, http_server

Render = Callable[..., str]
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: here}}}}]
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: here, user: {{}}}}]
"""


def check_generated_keys(render: Render) -> None:
    """Check what is made at first, and that an upgrade does not touch it.

    Raises:
        AssertionError: a key is unusable or was made again.
    """
    first = secrets_of(render())
    _check_usable(first)
    again = secrets_of(render())
    assert again["berth"]["encryption-keys"] != first["berth"]["encryption-keys"]
    with kubernetes_with(first) as kubeconfig:
        upgraded = render("--dry-run=server", "--kubeconfig", str(kubeconfig))
    # Helm would write what is rendered, also when it rolls back.
    assert secrets_of(upgraded) == {}
    assert "kind: StatefulSet" in upgraded


def secrets_of(text: str) -> dict[str, dict[str, str]]:
    """Return the data of each Secret in rendered manifests."""
    return {
        item["metadata"]["name"]: {
            key: base64.b64decode(value).decode() for key, value in item["data"].items()
        }
        for item in yaml.safe_load_all(text)
        if item and item["kind"] == "Secret"
    }


def _check_usable(secrets: dict[str, dict[str, str]]) -> None:
    keys, root_key = secrets["berth"], secrets["berth-offline"]["root.key"]
    roots, now = load_roots(keys["root.crt"]), datetime.now(UTC)
    for pem in (keys["signing.pem"], renew_leaf(root_key, keys["root.crt"])):
        assert is_issued_by(SigningKey.parse(pem).certificate, roots, now)
    Keyring.parse(keys["encryption-keys"])
    LookupKeyring.parse(keys["hmac-keys"])
    assert len(keys["secret-key"]) >= 50
    assert len(keys["metrics-token"]) >= 32
    assert keys["postgres-password"] in keys["database-url"]
    password = keys["valkey.conf"].split()[1]
    assert len(password) == 40
    assert f":{password}@" in keys["redis-url"]


@contextmanager
def kubernetes_with(secrets: dict[str, dict[str, str]]) -> Iterator[Path]:
    """Serve these Secrets as Kubernetes does; yield a kubeconfig."""
    served = {
        f"/api/v1/namespaces/default/secrets/{name}": {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": "default"},
            "data": {
                key: base64.b64encode(value.encode()).decode()
                for key, value in data.items()
            },
        }
        for name, data in secrets.items()
    }
    served |= _DISCOVERY

    def respond(request: Request) -> Answer:
        found: dict[str, Any] | None = served.get(request.address.path)
        body = json.dumps(found or {"kind": "Status", "status": "Failure", "code": 404})
        headers = {"Content-Type": "application/json"}
        return Answer(200 if found else 404, headers, body.encode())

    with http_server(respond) as port, tempfile.TemporaryDirectory() as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG.format(port=port))
        yield kubeconfig


_SECRETS = {"name": "secrets", "kind": "Secret", "namespaced": True, "verbs": ["get"]}
_DISCOVERY: dict[str, dict[str, Any]] = {
    "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [_SECRETS],
    },
}
