"""The list of spellings, as tests read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from installer.lookup.verdicts import Status, Verdict, read_image
from installer.manifests.directory import Manifests
from installer.plan.hosts import Hosts
from installer.plan.images import (
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
            image=each["image"].replace("DIGEST", DIGEST).replace("SHA512", SHA512),
            becomes=each.get("becomes", "").replace("DIGEST", DIGEST),
            fate=each.get("fate", "proxied"),
            says=each.get("says", ""),
        )
        for each in _document()["images"]
    ]


def shapes() -> list[Shape]:
    return [_shape(each) for each in _document()["shapes"]]


def plan(manifests: Manifests) -> list[PlannedImage]:
    """Decide as offline, with everything refused that is not on the public host."""
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
    found = read_image(image)
    if not isinstance(found, Reference):
        return found
    is_public = found.registry == PUBLIC_HOST
    return Verdict(Status.PUBLIC if is_public else Status.PRIVATE, "Told by the test.")


def _shape(each: dict[str, Any]) -> Shape:
    first = yaml.safe_load(each["manifest"].split("---\n")[0])
    found = each.get("object") or {"kind": first["kind"], **first["metadata"]}
    return Shape(
        shape=each["shape"],
        manifest=each["manifest"],
        specs={
            pointer: sorted(_SHORT.get(name, name) for name in names)
            for pointer, names in each["specs"].items()
        },
        images={
            container: _SHORT["P"] + image[1:] if image.startswith("P/") else image
            for container, image in each["images"].items()
        },
        kind=found["kind"],
        name=found["name"],
        namespace=found.get("namespace", ""),
    )


def _document() -> Any:
    return yaml.safe_load(FILE.read_text())
