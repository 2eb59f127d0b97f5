"""The Secret that pulls images with a license, and the patches that name it.

Sources: Kubernetes, "Pull an Image from a Private Registry" (the Secret's type and
data); Kustomize, "patches" (targets are regular expressions for the whole name; an
object without a namespace is in ``default``); RFC 6902 (patches of custom resources).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import yaml

from oci.kustomize import dump_yaml
from oci.pod_images import KubernetesObject, PodSpec

SECRET_TYPE: Final = "kubernetes.io/dockerconfigjson"  # noqa: S105 -- a type's name
# The place of the PodSpec in Kubernetes' own kinds, by API group.
_MERGED: Final = {
    ("", "Pod"): "/spec",
    ("", "PodTemplate"): "/template/spec",
    ("", "ReplicationController"): "/spec/template/spec",
    ("apps", "Deployment"): "/spec/template/spec",
    ("apps", "StatefulSet"): "/spec/template/spec",
    ("apps", "DaemonSet"): "/spec/template/spec",
    ("apps", "ReplicaSet"): "/spec/template/spec",
    ("batch", "Job"): "/spec/template/spec",
    ("batch", "CronJob"): "/spec/jobTemplate/spec/template/spec",
}
# Any username goes with a license; this one says what the password is.
USERNAME: Final = "license"


def pull_secret_name(application: str) -> str:
    """Return the name of an application's pull secret.

    Kubernetes does not allow ``_``, which an application's slug may have.
    """
    return f"{application.replace('_', '-')}-registry"


def docker_config(hosts: Iterable[str], password: str) -> str:
    """Return the ``.dockerconfigjson`` that logs in to all hosts with one password."""
    auth = base64.b64encode(f"{USERNAME}:{password}".encode()).decode()
    auths = {host: {"auth": auth} for host in hosts}
    return json.dumps({"auths": auths}, separators=(",", ":"))


def pull_secret(name: str, config: str, namespace: str = "") -> dict[str, Any]:
    """Return the Secret; without ``namespace``, for the one that it is applied to."""
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

    Existing secrets stay, and a PodSpec that names this one does not change. Skips
    objects without a name, which Kustomize cannot find.
    """
    patches = []
    for found_in, specs in pod_specs.items():
        wanting = [
            spec
            for spec in dict.fromkeys(specs)
            if name not in (spec.pull_secrets or ())
        ]
        if wanting and found_in.name and not found_in.is_generated:
            patch = _patch(found_in, wanting, name)
            patches.append({"target": _target(found_in), "patch": patch})
    return patches


def _patch(found_in: KubernetesObject, specs: Sequence[PodSpec], name: str) -> str:
    # Kustomize merges these lists, whatever the base has changed in them. It would
    # replace the list of any other kind.
    kind = (found_in.api_version.rpartition("/")[0], found_in.kind)
    if [spec.pointer for spec in specs] == [_MERGED.get(kind)]:
        return _merge(found_in, specs[0].pointer, name)
    operations = [_operation(spec, name) for spec in specs]
    return yaml.safe_dump(operations, sort_keys=False)


def _merge(found_in: KubernetesObject, pointer: str, name: str) -> str:
    document: dict[str, Any] = {"imagePullSecrets": [{"name": name}]}
    for part in reversed(pointer.removeprefix("/").split("/")):
        document = {part: document}
    head = {
        "apiVersion": found_in.api_version,
        "kind": found_in.kind,
        "metadata": {"name": found_in.name},
    }
    return dump_yaml(head | document)


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
