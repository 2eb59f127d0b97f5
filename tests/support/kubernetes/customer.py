"""A customer with a namespace in the cluster, and what its Pods went through."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from licenses.models import License
from tests.support.kubernetes.control_plane import NODE, ControlPlane, wait_for
from tests.support.rows.vendor import Vendor

PROJECT = Path(__file__).parents[3]
_PULLED = 'Successfully pulled image "'
_FAILED = 'Failed to pull image "'


@dataclass(frozen=True, slots=True)
class Story:
    """One pull, as the Pod's events tell it."""

    title: str
    reason: str
    message: str


@dataclass
class Customer:
    """A license, its file, and a namespace of the same name as its application."""

    plane: ControlPlane
    vendor: Vendor
    license: License
    portal: str
    proxy: str
    directory: Path
    stories: list[Story] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        return self.vendor.application.slug

    @property
    def license_file(self) -> Path:
        return self.directory / "license.yaml"

    def proxied(self, image: str) -> str:
        """Return the name on the proxy of an image of the registry ``sample``."""
        application = self.vendor.application.slug
        return f"{self.proxy}/proxy/{application}/sample/{image}"

    def installer(
        self, command: str, *arguments: str | Path
    ) -> subprocess.CompletedProcess[str]:
        """Run the installer on a machine where kubectl is the cluster's."""
        host = self.portal.removeprefix("http://")
        options = (
            *("--license", self.license_file, "--portal", self.portal),
            *("--plain-http", host, "--plain-http", self.proxy),
        )
        ran = subprocess.run(
            [sys.executable, "-m", "installer", command, *map(str, arguments)]
            + ([] if "--check" in arguments else [str(option) for option in options]),
            cwd=PROJECT,
            env=self.plane.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran

    def apply_secret(self) -> None:
        secret = self.installer("secret", "--namespace", self.namespace)
        self.plane.kubectl("apply", "-f", "-", stdin=secret.stdout)

    def create_namespace(self) -> None:
        self.plane.kubectl("create", "namespace", self.namespace)
        # Pods are refused until a controller has made it.
        account = ("get", "serviceaccount", "default", "-n", self.namespace)
        wait_for(
            lambda: self.plane.run(*account).returncode == 0,
            lambda: "No service account appeared.",
        )

    def start(self, name: str, image: str, *secrets: str, **spec: Any) -> None:
        """Create a Pod on the node."""
        pod = pod_of(name, [image], secrets=secrets, **spec)
        self.plane.apply(pod | {"metadata": {"name": name} | self._place})

    @property
    def _place(self) -> dict[str, str]:
        return {"namespace": self.namespace}

    def pull(
        self, title: str, name: str, image: str, *secrets: str, **spec: Any
    ) -> Story:
        """Create a Pod, and return what the event about its image says."""
        self.start(name, image, *secrets, **spec)
        return self.story(title, name)

    def story(self, title: str, name: str) -> Story:
        """Wait for the first pull of a Pod to end, and tell it."""
        wait_for(lambda: bool(self._pulls(name)), lambda: str(self.events(name)))
        reason, message = self._pulls(name)[0]
        told = Story(title, reason, message)
        self.stories.append(told)
        return told

    def events(self, name: str) -> list[tuple[str, str]]:
        """Return reason and message of each event of a Pod."""
        place = ("-n", self.namespace, f"--field-selector=involvedObject.name={name}")
        found = self.plane.get("events", *place)["items"]
        return [(str(item["reason"]), str(item["message"])) for item in found]

    def _pulls(self, name: str) -> list[tuple[str, str]]:
        return [
            (reason, message)
            for reason, message in self.events(name)
            if message.startswith((_PULLED, _FAILED))
        ]

    def wait_until_running(self, name: str) -> None:
        wait_for(
            lambda: self.pod(name)["status"].get("phase") == "Running",
            lambda: str(self.events(name)),
        )

    def pod(self, name: str) -> Any:
        return self.plane.get("pod", name, "-n", self.namespace)

    def wait_for_policy(self, image: str) -> None:
        """Return once a policy renames an image in the namespace."""
        probe = pod_of("probe", [image])

        def renamed() -> bool:
            (container,) = self.admitted(probe)["spec"]["containers"]
            return bool(container["image"] != image)

        wait_for(renamed, lambda: f"{image} keeps its name.")

    def pod_of_deployment(self) -> str:
        """Return the name of the one Pod of ``deployment_of``, once it exists."""

        def names() -> list[str]:
            pods = self.plane.get("pods", "-n", self.namespace, "-l", "app=web")
            return [str(pod["metadata"]["name"]) for pod in pods["items"]]

        wait_for(lambda: bool(names()), lambda: "The Deployment has no Pod.")
        (name,) = names()
        return name

    def dry_run(self, pod: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        """Send a Pod through admission without creating it."""
        place = ("-n", self.namespace, "-o", "json")
        command = ("create", "--dry-run=server", *place, "-f", "-")
        return self.plane.run(*command, stdin=json.dumps(pod))

    def admitted(self, pod: dict[str, Any]) -> Any:
        """Return the Pod as the API server would create it."""
        ran = self.dry_run(pod)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)


def pod_of(
    name: str, images: Sequence[str], *, secrets: Sequence[str] = (), **spec: Any
) -> dict[str, Any]:
    """Return a Pod on the host's network, so that the node needs none of its own."""
    containers = [
        {"name": f"c{number}", "image": image, "imagePullPolicy": "Always"}
        for number, image in enumerate(images)
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "nodeName": NODE,
            "hostNetwork": True,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "tolerations": [{"operator": "Exists"}],
            "containers": containers,
            "imagePullSecrets": [{"name": item} for item in secrets],
            **spec,
        },
    }


def deployment_of(namespace: str, image: str) -> dict[str, Any]:
    """Return a Deployment ``web`` of one Pod."""
    labels = {"app": "web"}
    spec = pod_of("", [image])["spec"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def remove_policy(plane: ControlPlane, name: str) -> None:
    """Remove what ``policy`` wrote, whatever of it there is."""
    for kind in ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy"):
        plane.kubectl("delete", kind, name, "--ignore-not-found")
