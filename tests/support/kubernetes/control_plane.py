"""etcd, an API server and a controller manager on the loopback address."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deploy.local.process import LocalStackError, ManagedProcess, free_port
from portal.crypto.pem import private_pem

NODE = "berth-node"
SECONDS = 90
# Without a scheduler: Pods name their node.
_CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "job-controller",
    "endpointslice-controller",
    "serviceaccount-controller",
    "namespace-controller",
    "garbage-collector-controller",
    "root-ca-certificate-publisher-controller",
)


@dataclass(frozen=True, slots=True)
class Keys:
    """The certificates and keys of one control plane, as files."""

    directory: Path

    @classmethod
    def made(cls, directory: Path) -> Keys:
        directory.mkdir()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(directory / "ca.crt")
        names = {
            "apiserver": ("kube-apiserver", "Kubernetes"),
            "admin": ("admin", "system:masters"),
            "kubelet": (f"system:node:{NODE}", "system:nodes"),
        }
        for file, (common_name, organization) in names.items():
            leaf = authority.issue_cert(
                *("localhost", "127.0.0.1", "10.97.0.1"),
                common_name=common_name,
                organization_name=organization,
            )
            leaf.private_key_pem.write_to_path(directory / f"{file}.key")
            leaf.cert_chain_pems[0].write_to_path(directory / f"{file}.crt")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (directory / "sa.key").write_text(private_pem(key))
        public = key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        (directory / "sa.pub").write_bytes(public)
        return cls(directory)

    def kubeconfig(self, user: str, port: int) -> Path:
        """Write and return the file that lets a user talk to the API server."""
        at = self.directory
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {
                        "server": f"https://127.0.0.1:{port}",
                        "certificate-authority": f"{at}/ca.crt",
                    },
                }
            ],
            "users": [
                {
                    "name": user,
                    "user": {
                        "client-certificate": f"{at}/{user}.crt",
                        "client-key": f"{at}/{user}.key",
                    },
                }
            ],
            "contexts": [
                {"name": "test", "context": {"cluster": "test", "user": user}}
            ],
            "current-context": "test",
        }
        path = at / f"{user}.kubeconfig"
        path.write_text(json.dumps(document))
        return path


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running API server, and how to talk to it as its administrator."""

    programs: Path
    keys: Keys
    port: int

    @property
    def issuer(self) -> str:
        """Return the issuer of the service accounts' tokens."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Return an environment in which ``kubectl`` is this cluster's."""
        return {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "KUBECONFIG": str(self.keys.directory / "admin.kubeconfig"),
            "HOME": str(self.keys.directory),
        }

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.programs / "kubectl", *arguments],
            env=self.environment,
            input=stdin,
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl and return its output. It must succeed."""
        ran = self.run(*arguments, stdin=stdin)
        assert ran.returncode == 0, f"kubectl {' '.join(arguments)}: {ran.stderr}"
        return ran.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, *objects: dict[str, Any]) -> None:
        content = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(content))


@contextmanager
def control_plane(programs: Path, directory: Path) -> Iterator[ControlPlane]:
    """Start it. Raises LocalStackError if it does not become ready."""
    keys = Keys.made(directory / "keys")
    port, etcd = free_port(), free_port()
    plane = ControlPlane(programs, keys, port)
    keys.kubeconfig("admin", port)
    keys.kubeconfig("kubelet", port)
    with ExitStack() as stack:
        stack.enter_context(_etcd(directory, etcd))
        server = stack.enter_context(_api_server(plane, directory, etcd))
        server.wait_until(lambda: _is_ready(plane), SECONDS)
        stack.enter_context(_controller_manager(plane, directory))
        yield plane


def _etcd(directory: Path, port: int) -> ManagedProcess:
    peer = f"http://127.0.0.1:{free_port()}"
    client = f"http://127.0.0.1:{port}"
    return ManagedProcess(
        [
            *("etcd", "--name", "test", "--data-dir", str(directory / "etcd")),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"test={peer}", "--unsafe-no-fsync"),
        ],
        name="etcd",
        log=directory / "etcd.log",
    )


def _api_server(plane: ControlPlane, directory: Path, etcd: int) -> ManagedProcess:
    at = plane.keys.directory
    return ManagedProcess(
        [
            str(plane.programs / "kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--secure-port={plane.port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--tls-cert-file={at}/apiserver.crt",
            f"--tls-private-key-file={at}/apiserver.key",
            f"--client-ca-file={at}/ca.crt",
            f"--kubelet-client-certificate={at}/admin.crt",
            f"--kubelet-client-key={at}/admin.key",
            f"--service-account-issuer={plane.issuer}",
            f"--service-account-signing-key-file={at}/sa.key",
            f"--service-account-key-file={at}/sa.pub",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--service-cluster-ip-range=10.97.0.0/24",
            # The name of the node is in no DNS.
            "--kubelet-preferred-address-types=InternalIP",
            "--endpoint-reconciler-type=none",
        ],
        name="kube-apiserver",
        log=directory / "kube-apiserver.log",
    )


def _controller_manager(plane: ControlPlane, directory: Path) -> ManagedProcess:
    at = plane.keys.directory
    return ManagedProcess(
        [
            str(plane.programs / "kube-controller-manager"),
            f"--kubeconfig={at}/admin.kubeconfig",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            "--leader-elect=false",
            f"--service-account-private-key-file={at}/sa.key",
            f"--root-ca-file={at}/ca.crt",
            f"--controllers={','.join(_CONTROLLERS)}",
        ],
        name="kube-controller-manager",
        log=directory / "kube-controller-manager.log",
    )


def _is_ready(plane: ControlPlane) -> bool:
    return plane.run("get", "--raw", "/readyz").stdout == "ok"


def wait_for(check: Callable[[], bool], what: Callable[[], str]) -> None:
    """Return once ``check`` is true.

    Raises:
        LocalStackError: it did not become true in time; the message ends with ``what``.
    """
    deadline = time.monotonic() + SECONDS
    while not check():
        if time.monotonic() > deadline:
            raise LocalStackError(f"Waited {SECONDS} s for nothing. {what()}")
        time.sleep(0.3)
