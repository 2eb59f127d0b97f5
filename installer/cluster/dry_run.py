"""What a cluster would make of Pods, by kubectl and without creating any.

A policy changes Pods, and no template of them. So each template of the manifests is
tried as the Pod that a controller would make of it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from installer.errors import UsageError
from oci.pod_images import CONTAINER_LISTS, read_manifest
from oci.yaml_documents import MAX_BYTES, MalformedYaml

_SECONDS: Final = 60
_NAME: Final = "berth-check-"


@dataclass(frozen=True, slots=True)
class TriedImage:
    container: str
    before: str
    after: str

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class TriedPod:
    """A Pod of the manifests; ``problem`` if the cluster would not take it."""

    source: str
    namespace: str
    images: tuple[TriedImage, ...] = ()
    pull_secrets: tuple[str, ...] = ()
    problem: str = ""

    def entry(self) -> dict[str, Any]:
        return {
            "object": self.source,
            "namespace": self.namespace or None,
            "images": [
                {
                    "container": image.container,
                    "before": image.before,
                    "after": image.after,
                }
                for image in self.images
            ],
            "pull_secrets": list(self.pull_secrets),
            "problem": self.problem or None,
        }

    def lines(self) -> Iterator[str]:
        where = f" in {self.namespace}" if self.namespace else ""
        yield f"{self.source}{where}"
        if self.problem:
            yield f"  {self.problem}"
            return
        for image in self.images:
            arrow = f"-> {image.after}" if image.is_changed else "(unchanged)"
            yield f"  {image.container}: {image.before} {arrow}"
        yield f"  pull secrets: {', '.join(self.pull_secrets) or 'none'}"


@dataclass(frozen=True, slots=True)
class _Template:
    source: str
    namespace: str
    labels: dict[str, Any]
    spec: dict[str, Any]


def try_pods(
    files: Sequence[str], context: str | None, namespace: str | None
) -> list[TriedPod]:
    """Run every Pod and every template of the files through the cluster's admission.

    Raises:
        UsageError: a file cannot be read, or there is no kubectl.
    """
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise UsageError("--check needs kubectl. Install it.", "no_kubectl")
    command = [kubectl, "create", "--dry-run=server", "-o", "json", "-f", "-"]
    command += ["--context", context] if context else []
    templates = [item for name in files for item in _templates(name)]
    return [_tried(command, item, namespace or "") for item in templates]


def _templates(name: str) -> Iterator[_Template]:
    path = Path(name)
    try:
        text = sys.stdin.read() if name == "-" else path.read_text(encoding="utf-8")
        read_manifest(text, max_bytes=MAX_BYTES)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, MalformedYaml) as error:
        raise UsageError(f"{name} is not YAML. {error}") from error
    for document in yaml.safe_load_all(text):
        for item in _objects(document):
            yield from _found(item)


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(document, dict):
        return
    items = document.get("items")
    if str(document.get("kind")).endswith("List") and isinstance(items, list):
        for item in items:
            yield from _objects(item)
    else:
        yield document


def _found(item: dict[str, Any]) -> Iterator[_Template]:
    metadata = item.get("metadata") or {}
    source = f"{item.get('kind')} {metadata.get('name') or ''}".rstrip()
    for owner in _owners_of_specs(item):
        labels = (owner.get("metadata") or {}).get("labels") or {}
        namespace = str(metadata.get("namespace") or "")
        yield _Template(source, namespace, labels, owner["spec"])


def _owners_of_specs(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping whose ``spec`` is that of a Pod: a Pod, or a template."""
    if isinstance(node, list):
        for item in node:
            yield from _owners_of_specs(item)
    elif isinstance(node, dict):
        spec = node.get("spec")
        if isinstance(spec, dict) and isinstance(spec.get("containers"), list):
            yield node
            return
        for value in node.values():
            yield from _owners_of_specs(value)


def _tried(command: list[str], template: _Template, default: str) -> TriedPod:
    namespace = template.namespace or default
    # A ServiceAccount may not exist before the application is installed.
    left_out = {"serviceAccountName", "serviceAccount"}
    spec = {key: value for key, value in template.spec.items() if key not in left_out}
    metadata = {"generateName": _NAME, "labels": template.labels}
    if namespace:
        metadata["namespace"] = namespace
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    try:
        ran = subprocess.run(  # noqa: S603 -- the command is ours
            command,
            input=json.dumps(pod, default=str),
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        problem = ran.stderr.strip() if ran.returncode else ""
        after = {} if problem else json.loads(ran.stdout)
    except subprocess.TimeoutExpired:
        problem, after = f"kubectl gave no answer within {_SECONDS} seconds.", {}
    if problem or not after:
        return TriedPod(template.source, namespace, problem=problem or "No answer.")
    return TriedPod(
        source=template.source,
        namespace=str(after["metadata"].get("namespace") or namespace),
        images=tuple(_compared(spec, after["spec"])),
        pull_secrets=tuple(
            str(secret.get("name"))
            for secret in after["spec"].get("imagePullSecrets") or ()
        ),
    )


def _compared(before: dict[str, Any], after: dict[str, Any]) -> Iterator[TriedImage]:
    # Other policies may have added containers, in any place.
    now = dict(_images(after))
    for container, image in _images(before):
        yield TriedImage(container, image, now.get(container, ""))


def _images(spec: dict[str, Any]) -> Iterable[tuple[str, str]]:
    for name in CONTAINER_LISTS:
        for container in spec.get(name) or ():
            yield str(container.get("name")), str(container.get("image") or "")
    for volume in spec.get("volumes") or ():
        reference = (volume.get("image") or {}).get("reference")
        if reference:
            yield f"volume {volume.get('name')}", str(reference)
