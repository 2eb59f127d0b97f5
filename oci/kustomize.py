"""The ``kustomization.yaml`` that makes manifests pull through the proxy.

Source: Kustomize, "images". ``name`` is a regular expression for the whole name as the
manifest spells it, without tag and digest. An entry with neither ``newTag`` nor
``digest`` keeps those of each image, so one entry serves every tag. ``images`` changes
``containers`` and ``initContainers`` at any depth; other places need a transformer with
their paths.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from oci.portable_yaml import is_ambiguous
from oci.reference import MalformedName, Reference, parse_repository

API_VERSION: Final = "kustomize.config.k8s.io/v1beta1"
BASES: Final = ("../../base",)
PROXY_PREFIX: Final = "proxy"
DOCKER_HUB: Final = "docker.io"
# The hosts that name it, where an image name does not omit it.
DOCKER_HUB_HOSTS: Final = frozenset(
    {DOCKER_HUB, "index.docker.io", "registry-1.docker.io"}
)
# Beyond this many patterns of dots, more than any manifest has, all names are escaped.
_MAX_SHAPES: Final = 32
_BRACKET = re.compile(r"[\[\]]")
_REACHED = re.compile(r"(?:.*/)?(?:containers|initContainers)\[\]/image")


@dataclass(frozen=True, slots=True)
class Renaming:
    """An image name as manifests spell it, and the name to pull instead.

    ``paths`` are all places of the name (``PodImage.path``).
    """

    name: str
    new_name: str
    paths: tuple[str, ...] = ()


def image_name(image: str) -> str:
    """Return an image as spelled, without its tag and digest."""
    name = image.partition("@")[0]
    repository, colon, tag = name.rpartition(":")
    return repository if colon and "/" not in tag else name


def home_of(reference: Reference) -> tuple[str, str]:
    """Return the host of an image and its repository there.

    All spellings of an image on Docker Hub (``redis``, ``library/redis``,
    ``docker.io/redis``, ``docker.io/library/redis``, ``index.docker.io/library/redis``)
    give the same.
    """
    host, repository = reference.registry or DOCKER_HUB, reference.repository
    if host not in DOCKER_HUB_HOSTS:
        return host, repository
    return DOCKER_HUB, repository if "/" in repository else f"library/{repository}"


def is_proxied(reference: Reference, proxy_host: str) -> bool:
    """Return whether an image's name already leads to the proxy."""
    path = reference.repository.partition("/")[0]
    return reference.registry == proxy_host and path == PROXY_PREFIX


def proxy_image_name(
    proxy_host: str, application: str, upstream: str, repository: str
) -> str:
    """Return the name that pulls a repository through the proxy.

    ``upstream`` is the external registry's host, or its slug if the host has a port,
    which is not allowed in an image's path.

    Raises:
        MalformedName: the parts do not make an image name.
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

    ``kept`` are names, without tag and digest, of images that must not change.
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
    patterns = _patterns(dict.fromkeys(item.name for item in renamings), kept)
    entries = {
        item.name: {"name": patterns[item.name], "newName": item.new_name}
        for item in renamings
    }
    transformers = [
        dump_yaml(_transformer(number, entries[name], paths))
        for number, (name, paths) in enumerate(_beyond_reach(renamings).items(), 1)
    ]
    fields: dict[str, Any] = {"images": list(entries.values())} if entries else {}
    return fields | ({"transformers": transformers} if transformers else {})


def _patterns(names: Iterable[str], kept: Iterable[str]) -> dict[str, str]:
    """Return each name, its dots escaped only if it would match another name."""
    shapes: defaultdict[int, defaultdict[tuple[int, ...], list[str]]]
    shapes = defaultdict(lambda: defaultdict(list))
    for name in names:
        shapes[len(name)][_dots(name)].append(name)
    others: defaultdict[int, list[str]] = defaultdict(list)
    for name in {*names, *kept}:
        others[len(name)].append(name)
    patterns: dict[str, str] = {}
    for length, by_dots in shapes.items():
        for dots, alike in by_dots.items():
            if len(by_dots) > _MAX_SHAPES:
                ambiguous = set(alike)
            else:
                matched = Counter(_dotted(name, dots) for name in others[length])
                ambiguous = {name for name in alike if matched[name] > 1}
            for name in alike:
                # The brackets of an IPv6 host would be a set in a pattern.
                pattern = _BRACKET.sub(r"\\\g<0>", name)
                is_ambiguous = name in ambiguous
                patterns[name] = (
                    pattern.replace(".", r"\.") if is_ambiguous else pattern
                )
    return patterns


def _dots(name: str) -> tuple[int, ...]:
    return tuple(match.start() for match in re.finditer(r"\.", name))


def _dotted(name: str, places: Iterable[int]) -> str:
    """Return a name with dots at these places, as a pattern with them sees it."""
    letters = list(name)
    for place in places:
        letters[place] = "."
    return "".join(letters)


def _beyond_reach(renamings: Iterable[Renaming]) -> dict[str, dict[str, None]]:
    """Return the paths of each name that ``images`` does not reach, without repeats."""
    paths: dict[str, dict[str, None]] = {}
    for renaming in renamings:
        for path in renaming.paths:
            if not _REACHED.fullmatch(path):
                paths.setdefault(renaming.name, {})[path] = None
    return paths


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
    # Patches and transformers are documents inside a document, kept readable.
    style = "|" if "\n" in text else '"' if is_ambiguous(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump_yaml(document: Mapping[str, Any]) -> str:
    """Return a document as YAML with its keys in order, and no aliases."""
    text: str = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, width=10_000)
    return text
