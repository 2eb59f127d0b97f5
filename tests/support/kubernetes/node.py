"""A node: containerd and a kubelet, with all that they leave behind removed."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deploy.local.process import ManagedProcess, free_port
from tests.support.kubernetes.control_plane import (
    NODE,
    SECONDS,
    ControlPlane,
    wait_for,
)
from tests.support.kubernetes.network import PLUGINS, write_network

# Kubelets refuse loopback addresses: this one is on the loopback interface.
ADDRESS = "10.99.99.1"
_CONTAINERD = """\
version = 2
root = "{at}/root"
state = "{at}/state"
[grpc]
  address = "{at}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  disable_apparmor = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "{at}/cni"
    bin_dir = "{plugins}"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{at}/certs.d"
[plugins."io.containerd.internal.v1.opt"]
  path = "{at}/opt"
"""


@contextmanager
def node(
    plane: ControlPlane, directory: Path, provider: Path, *, pause: str
) -> Iterator[Path]:
    """Start a node, and yield the directory of containerd's registry hosts.

    ``provider`` has the credential provider (``bin``) and its configuration; ``pause``
    is an image that every node can pull.
    """
    at = directory / "node"
    (at / "certs.d").mkdir(parents=True)
    write_network(at / "cni", at / "addresses")
    config = at / "containerd.toml"
    config.write_text(_CONTAINERD.format(at=at, pause=pause, plugins=PLUGINS))
    with ExitStack() as stack:
        stack.enter_context(_address())
        stack.callback(_unmount, at)
        stack.callback(_remove_control_groups)
        engine = stack.enter_context(
            ManagedProcess(
                ["containerd", "-c", str(config)],
                name="containerd",
                log=directory / "containerd.log",
            )
        )
        stack.callback(_end_containers, at)
        engine.wait_until((at / "containerd.sock").exists, SECONDS)
        stack.enter_context(_kubelet(plane, directory, provider))
        wait_for(
            lambda: plane.run("get", "node", NODE).returncode == 0,
            lambda: (directory / "kubelet.log").read_text()[-2000:],
        )
        yield at / "certs.d"


def _kubelet(plane: ControlPlane, directory: Path, provider: Path) -> ManagedProcess:
    keys, at = plane.keys.directory, directory / "node"
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "port": free_port(),
        "readOnlyPort": 0,
        "healthzPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": f"{keys}/ca.crt"},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "tlsCertFile": f"{keys}/kubelet.crt",
        "tlsPrivateKeyFile": f"{keys}/kubelet.key",
        "containerRuntimeEndpoint": f"unix://{at}/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0%"},
        "syncFrequency": "2s",
        "makeIPTablesUtilChains": False,
    }
    configured = provider / "berth-credential-provider.yaml"
    path = at / "kubelet.yaml"
    path.write_text(json.dumps(config))
    return ManagedProcess(
        [
            str(plane.programs / "kubelet"),
            f"--kubeconfig={keys}/kubelet.kubeconfig",
            f"--config={path}",
            f"--root-dir={at}/kubelet",
            f"--cert-dir={at}/kubelet/pki",
            f"--hostname-override={NODE}",
            f"--node-ip={ADDRESS}",
            f"--image-credential-provider-bin-dir={provider}/bin",
            f"--image-credential-provider-config={configured}",
        ],
        name="kubelet",
        log=directory / "kubelet.log",
    )


@contextmanager
def _address() -> Iterator[None]:
    place = [f"{ADDRESS}/32", "dev", "lo"]
    # It may still be there after a run that was killed.
    subprocess.run(["ip", "address", "replace", *place], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "address", "del", *place], check=False)


def _end_containers(at: Path) -> None:
    """Remove what runs in containers: it belongs neither to kubelet nor to engine."""
    ctr = ["ctr", "--address", str(at / "containerd.sock"), "--namespace", "k8s.io"]
    listed = subprocess.run(
        [*ctr, "tasks", "list", "--quiet"],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    for task in listed.stdout.split():
        # The end of a Pod's sandbox may have removed it meanwhile.
        subprocess.run(
            [*ctr, "tasks", "rm", "--force", task],
            check=False,
            capture_output=True,
            timeout=SECONDS,
        )


def _remove_control_groups() -> None:
    """Remove the empty groups that containers of this kind leave behind."""
    for group in sorted(Path("/sys/fs/cgroup").glob("**/k8s.io/**/"), reverse=True):
        # One that is in use cannot be removed.
        with contextlib.suppress(OSError):
            group.rmdir()


def _unmount(at: Path) -> None:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    mounted = [line.split()[4] for line in lines]
    for place in sorted(mounted, key=len, reverse=True):
        if Path(place).is_relative_to(at):
            subprocess.run(["umount", "--lazy", place], check=False)
