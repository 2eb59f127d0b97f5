"""Where Kubernetes documents name container images.

Sources: Kubernetes API reference, "PodSpec"; Kustomize, "images" (its transformer
searches ``containers`` and ``initContainers`` at any depth, and so custom resources).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from oci.yaml_documents import (
    MAX_BYTES,
    MERGE,
    Mapping,
    Node,
    Scalar,
    Sequence,
    yaml_documents,
)

# In the order of a PodSpec.
CONTAINER_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
# A CustomResourceDefinition describes fields of these names, but has no images.
_NO_WORKLOADS = frozenset({"CustomResourceDefinition"})


@dataclass(frozen=True, slots=True)
class KubernetesObject:
    """What identifies an object, as far as the document says.

    ``is_generated`` marks a name that is only the beginning of one.
    """

    api_version: str
    kind: str
    name: str
    namespace: str
    is_generated: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class PodSpec:
    """A PodSpec inside an object.

    ``pointer`` leads to it from the object (RFC 6901): ``/spec/template/spec``.
    ``pull_secrets`` are the names in its ``imagePullSecrets``, None if it has no list.
    """

    pointer: str
    pull_secrets: tuple[str, ...] | None = None


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
    pod_spec: PodSpec


@dataclass(frozen=True, slots=True)
class Manifest:
    """All objects of a text, and all images that they name, in the text's order.

    ``without_kind`` are the lines of documents, and of items of a List, that are not
    Kubernetes objects.
    """

    objects: tuple[KubernetesObject, ...]
    images: tuple[PodImage, ...]
    without_kind: tuple[int, ...] = ()


def read_manifest(text: str, *, max_bytes: int = MAX_BYTES) -> Manifest:
    """Find the objects and the images in YAML, of any number of documents, or JSON.

    Searches every PodSpec: of Pods, of all kinds of workloads, of items of a List, and
    of custom resources. Skips documents without a kind, which are not Kubernetes
    objects, and images that are not text.

    Raises:
        MalformedYaml: it is not YAML, or larger, deeper or more entangled than any
            manifest.
    """
    objects: list[KubernetesObject] = []
    images: list[PodImage] = []
    without_kind: list[int] = []
    for document in yaml_documents(text, max_bytes=max_bytes):
        without_kind += _without_kind(document)
        for node in _objects(document):
            described = _describe(node)
            objects.append(described)
            if described.kind not in _NO_WORKLOADS:
                images += _Search(described).images(node)
    return Manifest(tuple(objects), tuple(images), tuple(without_kind))


def _without_kind(node: Node) -> Iterator[int]:
    """Yield the lines of nodes that should be an object, but are not."""
    if isinstance(node, Scalar) and node.is_null:
        return
    kind = node.text("kind") if isinstance(node, Mapping) else ""
    items = node.get("items") if isinstance(node, Mapping) else None
    if not kind:
        yield node.line
    elif kind.endswith("List") and isinstance(items, Sequence):
        for item in items.items:
            yield from _without_kind(item)


def _objects(node: Node) -> Iterator[Mapping]:
    if not isinstance(node, Mapping):
        return
    kind, items = node.text("kind"), node.get("items")
    if kind.endswith("List") and isinstance(items, Sequence):
        for item in items.items:
            yield from _objects(item)
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
        is_generated=not named.text("name") and bool(named.text("generateName")),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in an object, in Kustomize's words and as a JSON pointer.

    ``holder`` is the mapping that a merged one (``<<``) becomes part of.
    """

    path: str = ""
    pointer: str = ""
    holder: Mapping | None = None

    def item(self, number: int) -> _Place:
        return _Place(f"{self.path}[]", f"{self.pointer}/{number}")

    def key(self, key: str) -> _Place:
        # Kustomize and pointers escape a slash inside a key in different ways.
        inside, below = key.replace("/", "\\/"), _pointer_part(key)
        path = f"{self.path}/{inside}" if self.path else inside
        return _Place(path, f"{self.pointer}/{below}")

    def merged_into(self, holder: Mapping) -> _Place:
        return replace(self, holder=self.holder or holder)


_TOP: Final = _Place()


class _Search:
    """Looks for images in one object."""

    def __init__(self, searched: KubernetesObject) -> None:
        self._object = searched

    def images(self, node: Node, place: _Place = _TOP) -> Iterator[PodImage]:
        if isinstance(node, Sequence):
            for number, item in enumerate(node.items):
                yield from self.images(item, place.item(number))
        elif isinstance(node, Mapping):
            for key, value in node.pairs:
                if key == MERGE:
                    merged = value.items if isinstance(value, Sequence) else [value]
                    for item in merged:
                        yield from self.images(item, place.merged_into(node))
                    continue
                if isinstance(value, Sequence):
                    spec = _pod_spec(place, place.holder or node)
                    yield from self._listed(key, value, place.key(key).path, spec)
                yield from self.images(value, place.key(key))

    def _listed(
        self, key: str, values: Sequence, path: str, spec: PodSpec
    ) -> Iterator[PodImage]:
        for item in values.items:
            if not isinstance(item, Mapping):
                continue
            if key in CONTAINER_LISTS:
                where = f"{path}[]/image"
                yield from self._image(item, item.get("image"), where, spec)
            source = item.get("image") if key == "volumes" else None
            if isinstance(source, Mapping):
                where = f"{path}[]/image/reference"
                yield from self._image(item, source.get("reference"), where, spec)

    def _image(
        self, named: Mapping, value: Node | None, path: str, spec: PodSpec
    ) -> Iterator[PodImage]:
        if isinstance(value, Scalar) and not value.is_null:
            yield PodImage(
                image=value.text.strip(),
                container=named.text("name"),
                object=self._object,
                path=path,
                line=value.line,
                pod_spec=spec,
            )


def _pod_spec(place: _Place, node: Mapping) -> PodSpec:
    secrets = node.get("imagePullSecrets")
    if not isinstance(secrets, Sequence):
        return PodSpec(place.pointer)
    names = (item.text("name") for item in secrets.items if isinstance(item, Mapping))
    return PodSpec(place.pointer, tuple(names))


def _pointer_part(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
