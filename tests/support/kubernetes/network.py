"""The network of a node: addresses for Pods, and kube-proxy for Services."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.process import ManagedProcess, free_port
from tests.support.kubernetes.control_plane import NODE, SECONDS, ControlPlane

PODS = "10.98.0.0/24"
PLUGINS = "/usr/lib/cni"
_FIREWALL = "KUBE-FIREWALL"


def write_network(directory: Path, data: Path) -> None:
    """Write the configuration by which containerd gives each Pod an address.

    Pods reach each other through the node, so that its rules for Services hold for
    them too. Behind a bridge, answers would bypass these rules.
    """
    directory.mkdir()
    ranges = [[{"subnet": PODS}]]
    routes = [{"dst": "0.0.0.0/0"}]
    store = {"type": "host-local", "dataDir": str(data), "ranges": ranges}
    plugin = {"type": "ptp", "ipam": store | {"routes": routes}}
    network = {"cniVersion": "0.4.0", "name": "berth-pods", "plugins": [plugin]}
    (directory / "10-pods.conflist").write_text(json.dumps(network))


@contextmanager
def kube_proxy(plane: ControlPlane, directory: Path) -> Iterator[ManagedProcess]:
    """Make the Services' addresses work on this machine, and undo it at the end."""
    program = str(plane.programs / "kube-proxy")
    health = free_port()
    process = ManagedProcess(
        [
            *(program, "--proxy-mode=iptables", f"--cluster-cidr={PODS}"),
            f"--kubeconfig={plane.keys.directory}/admin.kubeconfig",
            f"--hostname-override={NODE}",
            f"--healthz-bind-address=127.0.0.1:{health}",
            f"--metrics-bind-address=127.0.0.1:{free_port()}",
            "--iptables-localhost-nodeports=false",
            # Settings of the machine are left alone.
            *("--conntrack-max-per-core=0", "--conntrack-min=0"),
            "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
        ],
        name="kube-proxy",
        log=directory / "kube-proxy.log",
    )
    try:
        with process:
            process.wait_for_http(f"http://127.0.0.1:{health}/healthz", SECONDS)
            yield process
    finally:
        subprocess.run(
            [program, "--cleanup"], check=False, capture_output=True, timeout=SECONDS
        )
        _remove_firewall()


def _remove_firewall() -> None:
    """Remove a chain that is the kubelet's too, and that ``--cleanup`` leaves."""
    for program in ("iptables", "ip6tables"):
        for rule in (
            ("-D", "INPUT", "-j", _FIREWALL),
            ("-D", "OUTPUT", "-j", _FIREWALL),
            ("-X", _FIREWALL),
        ):
            # There may be none.
            subprocess.run([program, *rule], check=False, capture_output=True)
