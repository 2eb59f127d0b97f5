"""The namespaces that get the pull secret, and those whose pods need it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from installer.manifests.kustomizations import Kustomization, namespace_of
from installer.plan.images import PlannedImage

# An RFC 1123 label.
_NAMESPACE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ALL: Final = "*"
_ALL_NAMESPACES: Final = (
    'The Application manifest wants the pull secret in all namespaces ("*"), even '
    "future ones, which files cannot provide. Give each namespace that runs pods of "
    "this application with --namespace, and rerun for new ones, or let a controller "
    "copy the Secret {}."
)
# To Kustomize, an object without a namespace is in "default".
_DEFAULT_TOO: Final = (
    "additionalNamespaces includes default, but the application's own namespace is "
    "unknown. Give it with --namespace, so that both get the pull secret."
)


def is_namespace(text: str) -> bool:
    """Return whether Kubernetes accepts a name for a namespace."""
    return bool(_NAMESPACE.fullmatch(text))


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Where the secret goes; an empty name is wherever it will be applied.

    ``given`` are those of the command line, ``problems`` are sentences.
    """

    names: tuple[str, ...]
    given: tuple[str, ...]
    problems: tuple[str, ...]

    def with_unnamed(self, needed: set[str]) -> Namespaces:
        """Add the unnamed namespace if pods there would have no secret.

        A namespace that only the command line names is taken for the unnamed one.
        """
        is_covered = "" not in needed or "" in self.names or set(self.given) - needed
        return self if is_covered else replace(self, names=("", *self.names))

    def missing(self, needed: set[str]) -> list[str]:
        """Return a problem for each namespace whose pods would have no secret."""
        return [
            f"Pods in the namespace {name} pull with the license, but it gets no pull "
            f"secret. Give --namespace {name}, and ask your vendor to add it to "
            "additionalNamespaces of the Application manifest."
            for name in sorted(needed - {"", *self.names})
        ]


def namespaces_for(
    given: Iterable[str], additional: Iterable[str], secret_name: str
) -> Namespaces:
    """Return the namespaces of the command line, then those of the manifests."""
    problems = []
    given = tuple(given)
    names = dict.fromkeys(given) or {"": None}
    for name in additional:
        if name == _ALL:
            problems.append(_ALL_NAMESPACES.format(secret_name))
        elif name == "default" and "" in names:
            problems.append(_DEFAULT_TOO)
        elif is_namespace(name):
            names[name] = None
        else:
            problems.append(
                f"additionalNamespaces has {name!r}, which is not a valid namespace. "
                "Templates are not rendered here: give the namespace with --namespace."
            )
    return Namespaces(tuple(names), given, tuple(problems))


def namespaces_of_pods(
    images: Iterable[PlannedImage], kustomizations: list[Kustomization]
) -> set[str]:
    """Return the namespaces whose pods need the secret; "" is where it is applied.

    They include every namespace that a kustomization of the vendor sets.
    """
    needed = {
        namespace_of(place.file, kustomizations) or place.pod_image.object.namespace
        for image in images
        if image.needs_secret
        for place in image.places
    }
    if needed:
        needed |= {item.namespace for item in kustomizations if item.namespace}
    return needed
