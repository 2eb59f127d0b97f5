"""Read spellings.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from installer.lookup.verdicts import Status, Verdict, read_image
from installer.manifests.directory import Manifests
from installer.plan.images import (
    Hosts,
    PlannedImage,
    berth_images,
    plan_images,
    resolve_offline,
)
from oci.reference import Reference

FILE = Path(__file__).parents[2] / "unit" / "installer" / "plan" / "spellings.yaml"
DIGEST = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8
HOSTS = Hosts(
    application="my-app",
    proxies=("proxy.example.com", "old-proxy.example.com"),
    registries=("registry.example.com",),
)
PUBLIC_HOST = "public.example.com"
_SHORT = {"P": "proxy.example.com/proxy/my-app", "S": "my-app-registry"}


@dataclass(frozen=True)
class Spelling:
    image: str
    becomes: str
    fate: str
    says: str

    @property
    def result(self) -> str:
        return self.becomes or self.image


@dataclass(frozen=True)
class Shape:
    """``specs`` are pull secrets by PodSpec, ``images`` images by container."""

    shape: str
    manifest: str
    specs: dict[str, list[str]]
    images: dict[str, str]
    kind: str
    name: str
    namespace: str


def spellings() -> list[Spelling]:
    return [
        Spelling(
            image=item["image"].replace("DIGEST", DIGEST).replace("SHA512", SHA512),
            becomes=item.get("becomes", "").replace("DIGEST", DIGEST),
            fate=item.get("fate", "proxied"),
            says=item.get("says", ""),
        )
        for item in _document()["images"]
    ]


def shapes() -> list[Shape]:
    return [_shape(item) for item in _document()["shapes"]]


def plan(manifests: Manifests) -> list[PlannedImage]:
    """Plan offline, with everything private that is not on the public host."""
    places = manifests.places()
    verdicts = {
        image: _verdict(image)
        for image in places
        if image not in berth_images(places, HOSTS)
    }
    return plan_images(
        places, HOSTS, verdicts, lambda images: resolve_offline(images, HOSTS)
    )


def _verdict(image: str) -> Verdict:
    reference = read_image(image)
    if not isinstance(reference, Reference):
        return reference
    is_public = reference.registry == PUBLIC_HOST
    return Verdict(Status.PUBLIC if is_public else Status.PRIVATE, "Set by the test.")


def _shape(item: dict[str, Any]) -> Shape:
    first = yaml.safe_load(item["manifest"].split("---\n")[0])
    metadata = item.get("object") or {"kind": first["kind"], **first["metadata"]}
    return Shape(
        shape=item["shape"],
        manifest=item["manifest"],
        specs={
            pointer: sorted(_SHORT.get(name, name) for name in names)
            for pointer, names in item["specs"].items()
        },
        images={
            container: _SHORT["P"] + image[1:] if image.startswith("P/") else image
            for container, image in item["images"].items()
        },
        kind=metadata["kind"],
        name=metadata["name"],
        namespace=metadata.get("namespace", ""),
    )


def _document() -> Any:
    return yaml.safe_load(FILE.read_text())
