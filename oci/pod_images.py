"""Where Kubernetes documents name container images.

Sources: Kubernetes API reference, "PodSpec"; Kustomize, "images" (its transformer
looks into ``containers`` and ``initContainers`` at any depth, and so into custom
resources).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from oci.yaml_documents import (
    MERGE,
    Mapping,
    Node,
    Scalar,
    Sequence,
    yaml_documents,
)

# In the order in which a PodSpec has them.
CONTAINER_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
# A CustomResourceDefinition describes fields of these names; it has no such values.
_NO_WORKLOADS = frozenset({"CustomResourceDefinition"})


@dataclass(frozen=True, slots=True)
class KubernetesObject:
    """What tells an object from others, as far as the document says it."""

    api_version: str
    kind: str
    name: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class PodImage:
    """An image as one container names it.

    ``path`` leads from the object to the name, in the words of Kustomize's field
    specifications: ``spec/template/spec/containers[]/image``.
    """

    image: str
    container: str
    object: KubernetesObject
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """All objects of a text, and all images that they name, in the text's order."""

    objects: tuple[KubernetesObject, ...]
    images: tuple[PodImage, ...]


def read_manifest(text: str) -> Manifest:
    """Find the objects and the images in YAML, of any number of documents, or JSON.

    Looks into every PodSpec: those of Pods, of all kinds of workloads, of items of a
    List, and of custom resources. Documents that are no Kubernetes object (they have
    no kind) are passed over, and so are images that are not text.

    Raises:
        MalformedYaml: it is not YAML, or it is larger, deeper or more entangled
            than any manifest is.
    """
    objects: list[KubernetesObject] = []
    images: list[PodImage] = []
    for document in yaml_documents(text):
        for found in _objects(document):
            described = _describe(found)
            objects.append(described)
            if described.kind not in _NO_WORKLOADS:
                images += _Search(described).images(found)
    return Manifest(tuple(objects), tuple(images))


def _objects(node: Node) -> Iterator[Mapping]:
    if not isinstance(node, Mapping):
        return
    kind, items = node.text("kind"), node.get("items")
    if kind.endswith("List") and isinstance(items, Sequence):
        for each in items.items:
            yield from _objects(each)
    elif kind:
        yield node


def _describe(node: Mapping) -> KubernetesObject:
    metadata = node.get("metadata")
    named = metadata if isinstance(metadata, Mapping) else Mapping(node.line)
    return KubernetesObject(
        api_version=node.text("apiVersion"),
        kind=node.text("kind"),
        name=named.text("name") or named.text("generateName"),
        namespace=named.text("namespace"),
    )


class _Search:
    """Looks for images in one object."""

    def __init__(self, found_in: KubernetesObject) -> None:
        self._object = found_in

    def images(self, node: Node, path: str = "") -> Iterator[PodImage]:
        if isinstance(node, Sequence):
            for each in node.items:
                yield from self.images(each, f"{path}[]")
        elif isinstance(node, Mapping):
            for key, value in node.pairs:
                below = path if key == MERGE else _joined(path, key)
                if isinstance(value, Sequence):
                    yield from self._listed(key, value, below)
                yield from self.images(value, below)

    def _listed(self, key: str, values: Sequence, path: str) -> Iterator[PodImage]:
        for each in values.items:
            if not isinstance(each, Mapping):
                continue
            if key in CONTAINER_LISTS:
                yield from self._image(each, each.get("image"), f"{path}[]/image")
            source = each.get("image") if key == "volumes" else None
            if isinstance(source, Mapping):
                where = f"{path}[]/image/reference"
                yield from self._image(each, source.get("reference"), where)

    def _image(
        self, named: Mapping, value: Node | None, path: str
    ) -> Iterator[PodImage]:
        if isinstance(value, Scalar) and not value.is_null:
            yield PodImage(
                image=value.text.strip(),
                container=named.text("name"),
                object=self._object,
                path=path,
                line=value.line,
            )


def _joined(path: str, key: str) -> str:
    """Add a key to a path; a slash inside a key is escaped, as Kustomize wants it."""
    escaped = key.replace("/", "\\/")
    return f"{path}/{escaped}" if path else escaped
