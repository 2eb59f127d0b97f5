"""The chart, with PostgreSQL, Valkey and a registry outside of the cluster."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.support.kubernetes.control_plane import NODE, ControlPlane
from tests.support.kubernetes.node import ADDRESS
from tests.support.servers.forwarder import forwarder

CHART = Path(__file__).parents[3] / "deploy" / "chart"
NAME = "berth"
PROXY, PORTAL = "proxy.example.com", "portal.example.com"
# Addresses of Services. There is no DNS: Pods find them in their /etc/hosts.
SERVICES = {NAME: "10.97.0.10", f"{NAME}-portal": "10.97.0.11"}
PORTS = {NAME: 80, f"{NAME}-portal": 8002}
ENTRY = SERVICES[NAME]
MINUTES = 10
SECONDS_TO_END = 80
ROLLED = ("edge", "portal", "worker", "beat")


@dataclass(frozen=True, slots=True)
class Release:
    """Berth as the chart installs it."""

    plane: ControlPlane
    values: Path

    def install(self, *options: str) -> None:
        """Install or upgrade, and return once all Pods are ready."""
        self._helm(
            *("upgrade", "--install", NAME, str(CHART), "--values", str(self.values)),
            *("--wait", "--timeout", f"{MINUTES}m", *options),
        )

    def replace_pods(self, reason: str) -> None:
        """Upgrade to the same version, which replaces every Pod."""
        self.install("--set", f"podAnnotations.replaced={reason}")

    def test(self) -> str:
        """Run ``helm test`` and return the log of its Pod. It must succeed."""
        return self._helm("test", NAME, "--logs")

    def pods(self) -> dict[str, set[str]]:
        """Return the IDs of the Pods that are not ending, by component."""
        found: dict[str, set[str]] = {name: set() for name in ROLLED}
        for pod in self.plane.get("pods", "-n", NAME)["items"]:
            about = pod["metadata"]
            component = about["labels"]["app.kubernetes.io/component"]
            if component in found and "deletionTimestamp" not in about:
                found[component].add(str(about["uid"]))
        return found

    def uninstall(self) -> None:
        """Remove it, and return once its Pods have ended and counted their pulls."""
        self._helm(
            *("uninstall", NAME, "--ignore-not-found", "--wait"),
            *("--timeout", f"{MINUTES}m"),
        )
        pods = ("pods", "--all", "-n", NAME, f"--timeout={SECONDS_TO_END}s")
        self.plane.kubectl("delete", *pods)

    def _helm(self, *arguments: str) -> str:
        ran = subprocess.run(
            [self.plane.programs / "helm", *arguments, "--namespace", NAME],
            env=self.plane.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}{self._trouble()}"
        return ran.stdout

    def _trouble(self) -> str:
        """Return what the Pods went through."""
        told = self.plane.run("get", "pods", "-n", NAME, "-o", "wide").stdout
        told += self.plane.run("get", "events", "-n", NAME).stdout
        for pod in self.plane.get("pods", "-n", NAME)["items"]:
            logs = ("logs", str(pod["metadata"]["name"]), "-n", NAME)
            told += self.plane.run(*logs, "--all-containers", "--tail=15").stdout
        return told


@contextmanager
def release(
    plane: ControlPlane,
    directory: Path,
    registry: str,
    database: str,
    settings: dict[str, str],
) -> Iterator[Release]:
    """Prepare the namespace for ``install``; remove everything at the end.

    ``registry`` has the images; ``database`` is the URL of the tests' database as Pods
    reach it, and ``settings`` are those of all processes.
    """
    plane.kubectl("create", "namespace", NAME)
    plane.kubectl(
        *("label", "namespace", NAME, "pod-security.kubernetes.io/enforce=restricted")
    )
    with ExitStack() as stack:
        stack.callback(plane.kubectl, "delete", "namespace", NAME)
        redis = stack.enter_context(reachable(os.environ["REDIS_URL"]))
        plane.apply(_secret(database, redis), *map(_service, SERVICES))
        values = directory / "values.yaml"
        values.write_text(json.dumps(_values(registry, settings)))
        made = Release(plane, values)
        stack.callback(made.uninstall)
        yield made


@contextmanager
def reachable(url: str) -> Iterator[str]:
    """Yield a URL by which Pods reach a server of the loopback address."""
    parts = urlsplit(url)
    assert parts.port is not None
    login, _, _ = parts.netloc.rpartition("@")
    with forwarder("127.0.0.1", parts.port, ADDRESS) as running:
        place = f"{ADDRESS}:{running.port}"
        netloc = f"{login}@{place}" if login else place
        yield urlunsplit(parts._replace(netloc=netloc))


def _secret(database: str, redis: str) -> dict[str, Any]:
    """Return the Secret of the tests' own keys."""
    files = {
        "secret-key": os.environ["SECRET_KEY"],
        "encryption-keys": os.environ["BERTH_ENCRYPTION_KEYS"],
        "hmac-keys": os.environ["BERTH_HMAC_KEYS"],
        "signing.pem": os.environ["BERTH_TOKEN_SIGNING_KEY"],
        "root.crt": os.environ["BERTH_TOKEN_ROOTS"],
        "license-root.key": os.environ["BERTH_LICENSE_ROOT_KEY"],
        "database-url": database,
        "redis-url": redis,
    }
    about = {"name": NAME, "namespace": NAME}
    kind = {"apiVersion": "v1", "kind": "Secret"}
    return kind | {"metadata": about, "stringData": files}


def _service(name: str) -> dict[str, Any]:
    """Return a Service that Helm takes over, so that its address is known before."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": NAME,
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {
                "meta.helm.sh/release-name": NAME,
                "meta.helm.sh/release-namespace": NAME,
            },
        },
        "spec": {
            "clusterIP": SERVICES[name],
            "ports": [{"name": "http", "port": PORTS[name]}],
        },
    }


def _values(registry: str, settings: dict[str, str]) -> dict[str, Any]:
    # Two processors have room for what runs, but not for what production asks for.
    small = {"resources": {"requests": {"cpu": "10m", "memory": "32Mi"}}}
    return {
        "hosts": {"portal": PORTAL, "proxy": PROXY},
        "scheme": "http",
        "image": {"repository": f"{registry}/berth", "tag": "test"},
        "secrets": {"existingSecret": NAME},
        "podSpec": {
            "nodeName": NODE,
            "tolerations": [{"operator": "Exists"}],
            "dnsPolicy": "Default",
            "hostAliases": [
                {"ip": address, "hostnames": [name]}
                for name, address in SERVICES.items()
            ],
        },
        "env": {
            "BERTH_ALLOWED_PRIVATE_NETWORKS": f"{ADDRESS}/32",
            "BERTH_TOKEN_REQUESTS_PER_MINUTE": "100000",
            **settings,
        },
        "edge": small
        | {
            "cache": {"ephemeral": True, "size": "1Gi", "bytes": 2**29},
            "pullLog": {"ephemeral": True},
            "cacheManager": small,
            "nginx": small | {"workerProcesses": 1},
        },
        "portal": small,
        "worker": small | {"concurrency": 1},
        "beat": small,
        "migrations": small,
    }
