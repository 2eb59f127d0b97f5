"""Rules that rename images: which prefix of a name leads to which registry.

A rule of a policy is a list, ``[PREFIX, UPSTREAM]`` or ``[PREFIX, UPSTREAM, REGEX]``.
It is compared with an image's name in full (``docker.io/library/nginx``) and a colon,
whether a tag follows or not: so ``quay.io/my-org/`` is all of an organization, and
``quay.io/my-org/api:`` is one repository. The first rule that matches counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from installer.errors import UsageError
from installer.net.portal import RenamedRegistry
from oci.digest import MalformedDigest
from oci.kustomize import DOCKER_HUB, home_of
from oci.reference import (
    MalformedName,
    looks_like_host,
    parse_reference,
    parse_registry_host,
    parse_repository,
)

# What stands in place of an upstream if an image keeps its name.
KEPT: Final = "-"
# With more, an API server's limit refuses Pods with 200 containers.
MAX_RULES: Final = 500
# Docker's official images are public, so nobody needs a license for them.
OFFICIAL: Final = f"{DOCKER_HUB}/library/"


@dataclass(frozen=True, slots=True)
class Rule:
    """Images that begin with ``prefix``, and match ``regex`` if there is one."""

    prefix: str
    upstream: str
    regex: str = ""

    @property
    def words(self) -> list[str]:
        return [word for word in (self.prefix, self.upstream, self.regex) if word]

    @property
    def is_whole_host(self) -> bool:
        return self.prefix.count("/") == 1 and self.prefix.endswith("/")


def rules_of(registries: Iterable[RenamedRegistry]) -> list[Rule]:
    """Return the rules of a portal's registries, in the order in which pulls try them.

    Official images of Docker Hub keep their names where a pattern covers all of it.
    """
    rules = [
        _rule(registry, pattern)
        for registry in registries
        for pattern in registry.repositories
    ]
    if any(rule.is_whole_host and rule.prefix == f"{DOCKER_HUB}/" for rule in rules):
        rules = [Rule(OFFICIAL, KEPT), *rules]
    return _without_hidden(rules)


def narrowed(rules: Sequence[Rule], only: Sequence[str]) -> list[Rule]:
    """Return the rules for images that begin with one of the prefixes ``only``.

    Raises:
        UsageError: a prefix is not one of the license's images.
    """
    left = [rule for rule in rules if rule.upstream != KEPT]
    narrow: list[Rule] = []
    for prefix in only:
        found = [
            replace(rule, prefix=max(rule.prefix, prefix, key=len))
            for rule in left
            if rule.prefix.startswith(prefix) or prefix.startswith(rule.prefix)
        ]
        if not found:
            raise UsageError(
                f"The license pulls nothing through the proxy that begins with "
                f"{prefix.rstrip(':')}. Ask your vendor, or leave --only out.",
                "not_connected",
            )
        narrow += found
    return _without_hidden(narrow)


def assumed_rules(only: Sequence[str]) -> list[Rule]:
    """Return rules without a portal: each host is its own upstream.

    Raises:
        UsageError: there is none, or a host has a port, which only the portal can name.
    """
    if not only:
        raise UsageError(
            "Without the portal nobody knows which images to rename. Name them with "
            "--only, such as --only quay.io/my-org/.",
            "no_rules",
        )
    rules = [Rule(prefix, prefix.partition("/")[0]) for prefix in only]
    for rule in rules:
        if ":" in rule.upstream:
            raise UsageError(
                f"{rule.upstream} has a port. Only the portal knows its name there: "
                "leave --offline out.",
                "port",
            )
    return rules


def keeping(rules: Sequence[Rule], excluded: Iterable[str]) -> list[Rule]:
    """Return the rules after those that keep the names of excluded images.

    Raises:
        UsageError: they are more than an API server's limit allows.
    """
    kept = [Rule(prefix, KEPT) for prefix in excluded]
    result = _without_hidden([*kept, *rules])
    if len(result) > MAX_RULES:
        raise UsageError(
            f"These are {len(result)} rules. More than {MAX_RULES} can exceed the API "
            "server's limit for a Pod with many containers. Select images with --only.",
            "too_many_rules",
        )
    return result


def parse_prefix(text: str) -> str:
    """Return the prefix that stands for an image's name, or for what it begins with.

    ``quay.io/my-org/`` is all of an organization, ``acme/web`` one image of Docker Hub.

    Raises:
        MalformedName: it is neither.
    """
    if not text.endswith("/"):
        try:
            reference = parse_reference(text)
        except MalformedDigest as error:
            raise MalformedName(str(error)) from error
        if reference.tag or reference.digest:
            raise MalformedName(f"{text!r} has a tag or a digest. Leave it out.")
        return f"{'/'.join(home_of(reference))}:"
    first, slash, rest = text[:-1].partition("/")
    if not looks_like_host(first):
        return f"{DOCKER_HUB}/{parse_repository(text[:-1])}/"
    host, _ = home_of(parse_reference(f"{parse_registry_host(first)}/any"))
    return f"{host}/{parse_repository(rest)}/" if slash else f"{host}/"


def _rule(registry: RenamedRegistry, pattern: str) -> Rule:
    literal = re.split(r"[*?]", pattern, maxsplit=1)[0]
    prefix, rest = f"{registry.host}/{literal}", pattern[len(literal) :]
    if not rest:
        return Rule(f"{prefix}:", registry.upstream)
    if not rest.strip("*"):
        return Rule(prefix, registry.upstream)
    return Rule(prefix, registry.upstream, _regex(f"{registry.host}/{pattern}"))


def _regex(pattern: str) -> str:
    """Return a pattern in RE2's syntax. A repository's name has no colon."""
    # The host may have a port, and brackets.
    escaped = re.sub(r"[.\[\]]", r"\\\g<0>", pattern)
    return "^" + escaped.replace("*", "[^:]*").replace("?", "[^:]") + ":"


def _without_hidden(rules: Iterable[Rule]) -> list[Rule]:
    """Return the rules without those that an earlier one always precedes."""
    shown: list[Rule] = []
    for rule in rules:
        if not any(
            not earlier.regex and rule.prefix.startswith(earlier.prefix)
            for earlier in shown
        ):
            shown.append(rule)
    return shown
