"""Where Kubernetes documents name container images.

Sources: Kubernetes API reference, "PodSpec"; Kustomize, "images" (its transformer
looks into ``containers`` and ``initContainers`` at any depth, and so into custom
resources).
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

# In the order in which a PodSpec has them.
CONTAINER_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
# A CustomResourceDefinition describes fields of these names; it has no such values.
_NO_WORKLOADS = frozenset({"CustomResourceDefinition"})


@dataclass(frozen=True, slots=True)
class KubernetesObject:
    """What tells an object from others, as far as the document says it.

    ``is_generated`` tells that the name is only the beginning of one.
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

    ``without_kind`` are the lines of documents, and of items of a List, that are no
    Kubernetes object.
    """

    objects: tuple[KubernetesObject, ...]
    images: tuple[PodImage, ...]
    without_kind: tuple[int, ...] = ()


def read_manifest(text: str, *, max_bytes: int = MAX_BYTES) -> Manifest:
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
    without_kind: list[int] = []
    for document in yaml_documents(text, max_bytes=max_bytes):
        without_kind += _without_kind(document)
        for found in _objects(document):
            described = _describe(found)
            objects.append(described)
            if described.kind not in _NO_WORKLOADS:
                images += _Search(described).images(found)
    return Manifest(tuple(objects), tuple(images), tuple(without_kind))


def _without_kind(node: Node) -> Iterator[int]:
    """Yield the lines of what should be an object and is none."""
    if isinstance(node, Scalar) and node.is_null:
        return
    kind = node.text("kind") if isinstance(node, Mapping) else ""
    items = node.get("items") if isinstance(node, Mapping) else None
    if not kind:
        yield node.line
    elif kind.endswith("List") and isinstance(items, Sequence):
        for each in items.items:
            yield from _without_kind(each)


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
        is_generated=not named.text("name") and bool(named.text("generateName")),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the search is: in Kustomize's words and as a JSON pointer.

    ``holder`` is the mapping that a merged one (``<<``) becomes part of.
    """

    path: str = ""
    pointer: str = ""
    holder: Mapping | None = None

    def item(self, number: int) -> _Place:
        return _Place(f"{self.path}[]", f"{self.pointer}/{number}")

    def key(self, key: str) -> _Place:
        # Kustomize wants a slash inside a key escaped one way, a pointer another.
        inside, below = key.replace("/", "\\/"), _pointer_part(key)
        path = f"{self.path}/{inside}" if self.path else inside
        return _Place(path, f"{self.pointer}/{below}")

    def merged_into(self, holder: Mapping) -> _Place:
        return replace(self, holder=self.holder or holder)


_TOP: Final = _Place()


class _Search:
    """Looks for images in one object."""

    def __init__(self, found_in: KubernetesObject) -> None:
        self._object = found_in

    def images(self, node: Node, place: _Place = _TOP) -> Iterator[PodImage]:
        if isinstance(node, Sequence):
            for number, each in enumerate(node.items):
                yield from self.images(each, place.item(number))
        elif isinstance(node, Mapping):
            for key, value in node.pairs:
                if key == MERGE:
                    merged = value.items if isinstance(value, Sequence) else [value]
                    for each in merged:
                        yield from self.images(each, place.merged_into(node))
                    continue
                if isinstance(value, Sequence):
                    spec = _pod_spec(place, place.holder or node)
                    yield from self._listed(key, value, place.key(key).path, spec)
                yield from self.images(value, place.key(key))

    def _listed(
        self, key: str, values: Sequence, path: str, spec: PodSpec
    ) -> Iterator[PodImage]:
        for each in values.items:
            if not isinstance(each, Mapping):
                continue
            if key in CONTAINER_LISTS:
                where = f"{path}[]/image"
                yield from self._image(each, each.get("image"), where, spec)
            source = each.get("image") if key == "volumes" else None
            if isinstance(source, Mapping):
                where = f"{path}[]/image/reference"
                yield from self._image(each, source.get("reference"), where, spec)

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
    names = (each.text("name") for each in secrets.items if isinstance(each, Mapping))
    return PodSpec(place.pointer, tuple(names))


def _pointer_part(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
