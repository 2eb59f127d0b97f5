"""The pull secret, once for each namespace that needs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from installer.commands.options import is_namespace
from installer.license.file import License
from installer.plan.images import Hosts
from oci.kustomize import dump_yaml
from oci.pull_secrets import docker_config, pull_secret, pull_secret_name

EVERY: Final = "*"
_EVERY_NAMESPACE: Final = (
    'The Application manifest asks for the pull secret in all namespaces ("*"). Files '
    "cannot do that, as new namespaces come later. Give each namespace that pods of "
    "this application run in with --namespace, and run this again when there is a new "
    "one; or let a controller copy the Secret {} to new namespaces."
)


# To Kustomize, an object without a namespace is in this one.
_DEFAULT_TOO: Final = (
    "additionalNamespaces has default, and the application's own namespace is not "
    "known. Give it with --namespace, then both get the pull secret."
)


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Where the secret goes; empty text is where it will be applied."""

    names: tuple[str, ...]
    given: tuple[str, ...]
    problems: tuple[str, ...]

    def with_unnamed(self, wanted: set[str]) -> Namespaces:
        """Add the place where it is applied, if pods there would be left without.

        Of a namespace that only the command line names, it is taken to be that place.
        """
        is_covered = "" not in wanted or "" in self.names or set(self.given) - wanted
        return self if is_covered else replace(self, names=("", *self.names))


def namespaces_for(
    given: Iterable[str], additional: Iterable[str], application: str
) -> Namespaces:
    """Return the namespaces of the command line, then those of the manifests."""
    problems = []
    given = tuple(given)
    names = dict.fromkeys(given) or {"": None}
    for each in additional:
        if each == EVERY:
            problems.append(_EVERY_NAMESPACE.format(pull_secret_name(application)))
        elif each == "default" and "" in names:
            problems.append(_DEFAULT_TOO)
        elif is_namespace(each):
            names[each] = None
        else:
            problems.append(
                f"additionalNamespaces has {each!r}, which is no name of a namespace. "
                "Templates are not filled in here: name it with --namespace."
            )
    return Namespaces(tuple(names), given, tuple(problems))


def pull_secrets(
    license: License, hosts: Hosts, namespaces: Namespaces
) -> list[dict[str, Any]]:
    """Return one Secret for each namespace."""
    config = docker_config(hosts.all, license.license_id)
    name = pull_secret_name(license.application)
    return [pull_secret(name, config, each) for each in namespaces.names]


def secrets_yaml(secrets: Iterable[dict[str, Any]]) -> str:
    return "---\n".join(dump_yaml(each) for each in secrets)
