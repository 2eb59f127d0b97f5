"""What a trusted identity demands of a workload token's claims.

A rule is a claim's name and a pattern: the value, or the beginning of it before ``*``.
All rules of an identity must hold. Claims that are no texts match nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from urllib.parse import urlsplit

MAX_RULES = 10
MAX_ISSUER_LENGTH = 300
MAX_VALUE_LENGTH = 300
NAMESPACE, SERVICE_ACCOUNT = "namespace", "service_account"
Rules = Mapping[str, str]


class IdentityKind(StrEnum):
    KUBERNETES = "kubernetes"
    GITHUB = "github"
    GITLAB = "gitlab"
    OTHER = "other"


KINDS = {
    IdentityKind.KUBERNETES: "Kubernetes",
    IdentityKind.GITHUB: "GitHub Actions",
    IdentityKind.GITLAB: "GitLab CI",
    IdentityKind.OTHER: "Another issuer",
}
GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
GITLAB_ISSUER = "https://gitlab.com"
GOOGLE_ISSUER = "https://accounts.google.com"
# Anybody gets tokens of these issuers. One of these claims has to say whose they are.
_OWNERS = {
    IdentityKind.GITHUB: (
        *("repository", "repository_owner"),
        *("repository_id", "repository_owner_id"),
    ),
    IdentityKind.GITLAB: (
        *("project_path", "namespace_path"),
        *("project_id", "namespace_id"),
    ),
}
_SHARED_HOSTS = {
    "token.actions.githubusercontent.com": IdentityKind.GITHUB,
    "gitlab.com": IdentityKind.GITLAB,
}
# They say nothing of the subject.
_NOT_OF_SUBJECT = {"iss", "aud", "exp", "nbf", "iat", "jti"}
_NOT_IN_ISSUER = set(" ?#@\\\"'<>")
_CLAIM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,99}")
_NAMESPACE_FORM = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PREFIX_FORM = re.compile(r"[a-z0-9][a-z0-9.-]*")
_ACCOUNT_FORM = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_SERVICE_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")


def check_issuer(kind: IdentityKind, issuer: str) -> None:
    """Check the form of an issuer's URL; raises ValueError with what to write."""
    host = _host_of(issuer)
    if not host:
        raise ValueError("Enter the issuer as a URL like https://issuer.example.com.")
    expected = _SHARED_HOSTS.get(host)
    if expected not in {None, kind}:
        raise ValueError(
            f"Everybody's tokens of {KINDS[expected]} have this issuer. Choose "
            f"{KINDS[expected]}, so that the rules say whose are trusted."
        )


def _host_of(issuer: str) -> str:
    """Return the host of an issuer; "" if it cannot be one."""
    if not issuer.isascii() or not issuer.isprintable() or _NOT_IN_ISSUER & {*issuer}:
        return ""
    try:
        parts = urlsplit(issuer)
        is_url = parts.scheme == "https" and parts.port != 0
    except ValueError:
        return ""
    return (parts.hostname or "") if is_url else ""


def check_rules(kind: IdentityKind, issuer: str, rules: Rules) -> None:
    """Check that rules say whose tokens are meant; raises ValueError with the fix."""
    if len(rules) > MAX_RULES:
        raise ValueError(f"Write at most {MAX_RULES} rules.")
    for claim, pattern in rules.items():
        _check_rule(claim, pattern)
    if kind is IdentityKind.KUBERNETES:
        _check_kubernetes(rules)
    elif owners := _owners(kind, issuer):
        if not any(_names_owner(claim, rules.get(claim, "")) for claim in owners):
            raise ValueError(
                f"Say whose tokens are trusted: the exact value of {_either(owners)}. "
                "A value that ends with * needs the owner and a / before it."
            )
    elif not any(not is_prefix(pattern) for pattern in rules.values()):
        raise ValueError("Write at least one rule with an exact value, such as sub.")


def _check_rule(claim: str, pattern: str) -> None:
    if not _CLAIM.fullmatch(claim) or claim in _NOT_OF_SUBJECT:
        raise ValueError(f"{claim[:100]!r} is not a claim that can be a rule.")
    text = pattern.removesuffix("*")
    if not text:
        raise ValueError(f"Write a value of {claim}, or leave the rule out.")
    if len(text) > MAX_VALUE_LENGTH or not text.isprintable() or "*" in text:
        raise ValueError(
            f"Write a value of {claim} with at most {MAX_VALUE_LENGTH} characters; * "
            "is allowed at the end."
        )


def _check_kubernetes(rules: Rules) -> None:
    if set(rules) - {NAMESPACE, SERVICE_ACCOUNT} or NAMESPACE not in rules:
        raise ValueError("Write a namespace, and a service account or none.")
    forms = {NAMESPACE: _NAMESPACE_FORM, SERVICE_ACCOUNT: _ACCOUNT_FORM}
    for claim, pattern in rules.items():
        form = _PREFIX_FORM if is_prefix(pattern) else forms[claim]
        if not form.fullmatch(pattern.removesuffix("*")):
            words = claim.replace("_", " ")
            raise ValueError(f"{pattern!r} is not the name of a {words}.")


def _owners(kind: IdentityKind, issuer: str) -> tuple[str, ...]:
    if issuer == GOOGLE_ISSUER:
        return ("sub",)
    return _OWNERS.get(kind, ())


def _names_owner(claim: str, pattern: str) -> bool:
    if not is_prefix(pattern):
        return bool(pattern)
    owner, slash, _ = pattern.partition("/")
    return bool(slash and owner) and claim in {"repository", "project_path"}


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def is_prefix(pattern: str) -> bool:
    return pattern.endswith("*")


def in_words(claim: str, pattern: str) -> str:
    """Return a rule as people read it."""
    words = claim.replace("_", " ")
    if is_prefix(pattern):
        return f"{words} begins with {pattern.removesuffix('*')}"
    return f"{words} is {pattern}"


def matches(pattern: str, value: str | None) -> bool:
    if value is None:
        return False
    if is_prefix(pattern):
        return value.startswith(pattern.removesuffix("*"))
    return value == pattern


def texts_of(kind: IdentityKind, claims: Mapping[str, object]) -> dict[str, str]:
    """Return the claims that rules of an identity of this kind are compared with.

    Of Kubernetes, those are the parts of the subject.
    """
    if kind is not IdentityKind.KUBERNETES:
        return {name: value for name, value in claims.items() if isinstance(value, str)}
    subject = claims.get("sub")
    found = _SERVICE_ACCOUNT.fullmatch(subject) if isinstance(subject, str) else None
    return {NAMESPACE: found[1], SERVICE_ACCOUNT: found[2]} if found else {}


def anchor_of(kind: IdentityKind, issuer: str, rules: Rules) -> str:
    """Return the text by which an identity is found: its issuer and its first rule.

    It is one of :func:`anchors_of` of every workload token that meets the rules, so the
    identities that may be meant are found by an index, however many share the issuer.
    """
    for claim, pattern in sorted(rules.items()):
        if not is_prefix(pattern):
            return _anchor(kind, issuer, claim, pattern)
    for claim, pattern in sorted(rules.items()):
        owner, slash, _ = pattern.partition("/")
        if slash:
            return _anchor(kind, issuer, f"{claim}/", owner)
    return _anchor(kind, issuer)


def anchors_of(issuer: str, claims: Mapping[str, object]) -> list[str]:
    """Return the anchors of all identities that a workload token may meet."""
    return [
        _anchor(kind, issuer, *part)
        for kind in (IdentityKind.KUBERNETES, IdentityKind.OTHER)
        for part in [(), *_parts(texts_of(kind, claims))]
    ]


def _parts(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for claim, value in texts.items():
        yield claim, value
        owner, slash, _ = value.partition("/")
        if slash:
            yield f"{claim}/", owner


def _anchor(kind: IdentityKind, *parts: str) -> str:
    # The claims of Kubernetes' subjects are no claims of others.
    family = "kubernetes" if kind is IdentityKind.KUBERNETES else "claims"
    text = "\x00".join((family, *parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def workload_of(kind: IdentityKind, claims: Mapping[str, object]) -> str:
    """Return who a workload token is of, in a few words: the holder within a rule."""
    texts = texts_of(kind, claims)
    if kind is IdentityKind.KUBERNETES:
        return f"{texts.get(NAMESPACE, '')}/{texts.get(SERVICE_ACCOUNT, '')}"
    names = {
        IdentityKind.GITHUB: ("repository", "repository_owner", "sub"),
        IdentityKind.GITLAB: ("project_path", "namespace_path", "sub"),
    }.get(kind, ("sub",))
    return next((texts[name] for name in names if texts.get(name)), "")


def node_of(claims: Mapping[str, object]) -> str:
    """Return the node that Kubernetes names in a workload token; "" without one."""
    inside = claims.get("kubernetes.io")
    node = inside.get("node") if isinstance(inside, dict) else None
    name = node.get("name") if isinstance(node, dict) else None
    return name if isinstance(name, str) else ""
