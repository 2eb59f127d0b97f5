"""The ``kustomization.yaml`` that makes manifests pull through the proxy.

Source: Kustomize, "images". ``name`` is a regular expression for the whole name as the
manifest spells it, without tag and digest. An entry with neither ``newTag`` nor
``digest`` leaves those of each image as they are, so one entry serves every tag.
``images`` changes ``containers`` and ``initContainers`` at any depth; other places need
a transformer with their paths.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from oci.reference import MalformedName, Reference, parse_repository

API_VERSION: Final = "kustomize.config.k8s.io/v1beta1"
BASES: Final = ("../../base",)
PROXY_PREFIX: Final = "proxy"
DOCKER_HUB: Final = "docker.io"
# As image names spell it, besides leaving it out.
DOCKER_HUB_HOSTS: Final = frozenset(
    {DOCKER_HUB, "index.docker.io", "registry-1.docker.io"}
)
# Names of one length with dots in more places than any manifest's are escaped unseen.
_MAX_SHAPES: Final = 32
_BRACKET = re.compile(r"[\[\]]")
_REACHED = re.compile(r"(?:.*/)?(?:containers|initContainers)\[\]/image")


@dataclass(frozen=True, slots=True)
class Renaming:
    """An image name as manifests spell it, and the one to pull it by.

    ``paths`` are all places that have the name (``PodImage.path``).
    """

    name: str
    new_name: str
    paths: tuple[str, ...] = ()


def image_name(image: str) -> str:
    """Return an image as it is spelled, without its tag and its digest."""
    name = image.partition("@")[0]
    repository, colon, tag = name.rpartition(":")
    return repository if colon and "/" not in tag else name


def home_of(reference: Reference) -> tuple[str, str]:
    """Return the host that an image is on and its repository there.

    All spellings of an image on Docker Hub (``redis``, ``library/redis``,
    ``docker.io/redis``, ``docker.io/library/redis``, ``index.docker.io/library/redis``)
    give the same.
    """
    host, repository = reference.registry or DOCKER_HUB, reference.repository
    if host not in DOCKER_HUB_HOSTS:
        return host, repository
    return DOCKER_HUB, repository if "/" in repository else f"library/{repository}"


def is_proxied(reference: Reference, proxy_host: str) -> bool:
    """Tell whether an image's name leads to the proxy already."""
    path = reference.repository.partition("/")[0]
    return reference.registry == proxy_host and path == PROXY_PREFIX


def proxy_image_name(
    proxy_host: str, application: str, upstream: str, repository: str
) -> str:
    """Return the name that pulls a repository through the proxy.

    ``upstream`` is the host of the external registry. One with a port has no place
    in an image's path: it is named by its slug.

    Raises:
        MalformedName: these parts make no image name.
    """
    path = f"{PROXY_PREFIX}/{application}/{upstream}/{repository}"
    if ":" in upstream:
        raise MalformedName(f"{upstream} has a port. Name this registry by its slug.")
    return f"{proxy_host}/{parse_repository(path)}"


def kustomization(
    renamings: Sequence[Renaming],
    *,
    kept: Iterable[str] = (),
    resources: Sequence[str] = BASES,
) -> str:
    """Return a ``kustomization.yaml`` that renames images, and nothing else.

    ``kept`` are names, without tag and digest, of images that must stay as they are.
    """
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "resources": list(resources),
    }
    return dump_yaml(document | image_changes(renamings, kept=kept))


def image_changes(
    renamings: Sequence[Renaming], *, kept: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the fields of a ``kustomization.yaml`` that rename images.

    ``kept`` as for ``kustomization``.
    """
    patterns = _patterns(dict.fromkeys(each.name for each in renamings), kept)
    entries = {
        each.name: {"name": patterns[each.name], "newName": each.new_name}
        for each in renamings
    }
    transformers = [
        dump_yaml(_transformer(number, entries[name], paths))
        for number, (name, paths) in enumerate(_beyond_reach(renamings).items(), 1)
    ]
    fields: dict[str, Any] = {"images": list(entries.values())} if entries else {}
    return fields | ({"transformers": transformers} if transformers else {})


def _patterns(names: Iterable[str], kept: Iterable[str]) -> dict[str, str]:
    """Return each name; with its dots escaped only if it would match another one."""
    shapes: defaultdict[int, defaultdict[tuple[int, ...], list[str]]]
    shapes = defaultdict(lambda: defaultdict(list))
    for name in names:
        shapes[len(name)][_dots(name)].append(name)
    others: defaultdict[int, list[str]] = defaultdict(list)
    for name in {*names, *kept}:
        others[len(name)].append(name)
    patterns: dict[str, str] = {}
    for length, found in shapes.items():
        for dots, alike in found.items():
            if len(found) > _MAX_SHAPES:
                ambiguous = set(alike)
            else:
                matched = Counter(_dotted(each, dots) for each in others[length])
                ambiguous = {name for name in alike if matched[name] > 1}
            for name in alike:
                # An IPv6 host is in brackets, which are a set to a pattern.
                pattern = _BRACKET.sub(r"\\\g<0>", name)
                is_ambiguous = name in ambiguous
                patterns[name] = (
                    pattern.replace(".", r"\.") if is_ambiguous else pattern
                )
    return patterns


def _dots(name: str) -> tuple[int, ...]:
    return tuple(match.start() for match in re.finditer(r"\.", name))


def _dotted(name: str, places: Iterable[int]) -> str:
    """Return a name with dots at these places: what a pattern with them matches."""
    letters = list(name)
    for place in places:
        letters[place] = "."
    return "".join(letters)


def _beyond_reach(renamings: Iterable[Renaming]) -> dict[str, dict[str, None]]:
    """Return the paths of each name that ``images`` does not look at, once each."""
    found: dict[str, dict[str, None]] = {}
    for each in renamings:
        for path in each.paths:
            if not _REACHED.fullmatch(path):
                found.setdefault(each.name, {})[path] = None
    return found


def _transformer(
    number: int, entry: Mapping[str, str], paths: Iterable[str]
) -> dict[str, Any]:
    return {
        "apiVersion": "builtin",
        "kind": "ImageTagTransformer",
        "metadata": {"name": f"images-elsewhere-{number}"},
        "imageTag": dict(entry),
        "fieldSpecs": [{"path": path} for path in paths],
    }


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Patches and transformers are documents inside a document, to be read as such.
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump_yaml(document: Mapping[str, Any]) -> str:
    """Return a document as YAML with its keys in order, and no aliases."""
    text: str = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, width=10_000)
    return text
