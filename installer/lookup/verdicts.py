"""What is known about an image, and the sentence that says so.

Only an image that was refused is called private.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from installer.net.failures import Failure, RequestError
from installer.net.registry import TOO_MANY_REQUESTS, Target
from oci.digest import MalformedDigest
from oci.kustomize import DOCKER_HUB
from oci.reference import MalformedName, Reference, parse_reference


class Status(StrEnum):
    """The result of a look-up; scripts see the values."""

    PUBLIC = "public"
    PRIVATE = "private"
    PRIVATE_OR_MISSING = "private_or_missing"
    MISSING = "missing"
    RATE_LIMITED = "rate_limited"
    REGISTRY_ERROR = "registry_error"
    DNS = "dns_failure"
    TLS = "tls_failure"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    BAD_RESPONSE = "bad_answer"
    TEMPLATE = "template"
    UNREADABLE = "unreadable"


PRIVATE: Final = frozenset({Status.PRIVATE, Status.PRIVATE_OR_MISSING})
KNOWN: Final = PRIVATE | {Status.PUBLIC}
_OF_FAILURE: Final = {
    Failure.DNS: Status.DNS,
    Failure.TLS: Status.TLS,
    Failure.TIMED_OUT: Status.TIMED_OUT,
    Failure.UNREACHABLE: Status.UNREACHABLE,
    Failure.BAD_RESPONSE: Status.BAD_RESPONSE,
}
# Registries that refuse a missing image as they refuse a private one, by domain.
_HIDE_MISSING: Final = {
    DOCKER_HUB: "Docker Hub",
    "quay.io": "Quay",
    "ghcr.io": "GitHub",
    "gcr.io": "Google",
    "pkg.dev": "Google",
    "registry.gitlab.com": "GitLab",
    "azurecr.io": "Azure",
    "amazonaws.com": "Amazon",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    status: Status
    sentence: str


def read_image(image: str) -> Reference | Verdict:
    """Return an image's reference, or the verdict that it has none."""
    if any(mark in image for mark in ("{{", "}}", "$(", "${")):
        return Verdict(
            Status.TEMPLATE, "The name is a template. Render the manifests first."
        )
    try:
        return parse_reference(image)
    except (MalformedName, MalformedDigest) as error:
        return Verdict(Status.UNREADABLE, str(error))


def refused(target: Target) -> Verdict:
    """Return the verdict on an image that is refused without a login."""
    for domain, name in _HIDE_MISSING.items():
        if target.host == domain or target.host.endswith(f".{domain}"):
            registry = name if domain == DOCKER_HUB else target.host
            return Verdict(
                Status.PRIVATE_OR_MISSING,
                f"{registry} denies anonymous access. The image is private or does "
                f"not exist: {name} does not say which.",
            )
    return Verdict(
        Status.PRIVATE,
        f"{target.host} denies anonymous access: the image is private.",
    )


def failed(error: RequestError) -> Verdict:
    """Return the verdict on an image whose registry gave no usable response."""
    return Verdict(_OF_FAILURE[error.failure], str(error))


def of_status(target: Target, status: int) -> Verdict:
    """Return the verdict that an HTTP status means."""
    host = target.host
    if status in {401, 403}:
        return refused(target)
    if status == 200:
        return Verdict(Status.PUBLIC, f"{host} serves it to everyone.")
    if status == 404:
        sentence = f"{target} was not found on {host}. Check its spelling."
        return Verdict(Status.MISSING, sentence)
    if status == TOO_MANY_REQUESTS:
        sentence = f"{host} received too many requests ({status}). Try again later."
        return Verdict(Status.RATE_LIMITED, sentence)
    if status >= 500:
        sentence = f"{host} has an internal error ({status}). Try again later."
        return Verdict(Status.REGISTRY_ERROR, sentence)
    sentence = f"{host} responded with an unexpected status ({status})."
    return Verdict(Status.BAD_RESPONSE, sentence)
