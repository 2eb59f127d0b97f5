"""The Secret that pulls images with a license, and the patches that name it.

Sources: Kubernetes, "Pull an Image from a Private Registry" (the Secret's type and
data); Kustomize, "patches" (targets are regular expressions for the whole name; an
object without a namespace is in ``default``); RFC 6902 (the patches).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from oci.pod_images import KubernetesObject, PodSpec

SECRET_TYPE: Final = "kubernetes.io/dockerconfigjson"  # noqa: S105 -- a type's name
# Any user name goes with a license; this one says what the password is.
USERNAME: Final = "license"


def pull_secret_name(application: str) -> str:
    """Return the name of an application's pull secret.

    Kubernetes takes no ``_``, which an application's slug may have.
    """
    return f"{application.replace('_', '-')}-registry"


def docker_config(hosts: Iterable[str], password: str) -> str:
    """Return the ``.dockerconfigjson`` that logs in to all hosts with one password."""
    auth = base64.b64encode(f"{USERNAME}:{password}".encode()).decode()
    auths = {host: {"auth": auth} for host in hosts}
    return json.dumps({"auths": auths}, separators=(",", ":"))


def pull_secret(name: str, config: str, namespace: str = "") -> dict[str, Any]:
    """Return the Secret, for a namespace or for wherever it will be applied."""
    where = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, **where},
        "type": SECRET_TYPE,
        "data": {".dockerconfigjson": base64.b64encode(config.encode()).decode()},
    }


def pull_secret_patches(
    pod_specs: Mapping[KubernetesObject, Iterable[PodSpec]], name: str
) -> list[dict[str, Any]]:
    """Return Kustomize ``patches`` that add a pull secret to PodSpecs.

    Those that are there stay, and a PodSpec that names this one is left alone. Objects
    without a name cannot be found by Kustomize, and are passed over.
    """
    patches = []
    for found_in, specs in pod_specs.items():
        operations = [
            _operation(spec, name)
            for spec in dict.fromkeys(specs)
            if name not in (spec.pull_secrets or ())
        ]
        if operations and found_in.name and not found_in.is_generated:
            patch = json.dumps(operations, separators=(", ", ": "))
            patches.append({"target": _target(found_in), "patch": patch})
    return patches


def _operation(spec: PodSpec, name: str) -> dict[str, Any]:
    path, entry = f"{spec.pointer}/imagePullSecrets", {"name": name}
    if spec.pull_secrets is None:
        return {"op": "add", "path": path, "value": [entry]}
    return {"op": "add", "path": f"{path}/-", "value": entry}


def _target(found_in: KubernetesObject) -> dict[str, str]:
    group, _, version = found_in.api_version.rpartition("/")
    target = {
        "group": _literally(group),
        "version": version,
        "kind": found_in.kind,
        "name": _literally(found_in.name),
        "namespace": found_in.namespace or "default",
    }
    return {key: value for key, value in target.items() if value}


def _literally(text: str) -> str:
    return text.replace(".", r"\.")
