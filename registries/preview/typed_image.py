"""An image name as a person types it, read as a pull."""

from __future__ import annotations

import re
from dataclasses import dataclass

from oci.digest import MalformedDigest
from oci.kustomize import PROXY_PREFIX
from oci.reference import MalformedName, Reference, parse_reference
from registries.decision.proxied_name import parse_proxied_name
from registries.decision.pull import PRIVATE_REGISTRY, Upstream

# Often copied together with the name.
_AROUND = re.compile(r"\A(?:(?:docker|podman|crictl) pull\s+|docker://|https?://)")


@dataclass(frozen=True, slots=True)
class Question:
    """The arguments of ``authorize_pull``, apart from the credential."""

    application_slug: str
    upstream: Upstream
    repository: str
    # The tag or digest on the private registry; "" elsewhere.
    reference: str = ""


def image_in(text: str) -> str:
    """Return the image name in a text that may begin with ``docker pull`` or so."""
    return _AROUND.sub("", text.strip())


def question_of(
    text: str, *, proxy_host: str, registry_host: str, application_slug: str
) -> Question:
    """Read an image name: the proxy's, the private registry's, or the upstream's own.

    ``application_slug`` is used if the name has no application.

    Raises:
        MalformedName: not an image name, or one that is never pulled through Berth.
    """
    try:
        reference = parse_reference(image_in(text))
    except MalformedDigest as error:
        raise MalformedName(str(error)) from error
    first, _, rest = reference.repository.partition("/")
    if first == PROXY_PREFIX and reference.registry in {None, proxy_host}:
        name = parse_proxied_name(reference.repository)
        return Question(name.application, name.upstream, name.repository)
    if reference.registry == registry_host:
        if not rest:
            raise MalformedName(
                f"Images there are named {registry_host}/APPLICATION/IMAGE."
            )
        named = reference.digest or reference.tag or "latest"
        return Question(first, PRIVATE_REGISTRY, rest, named)
    _refuse_other_proxies(reference, proxy_host)
    if reference.registry is None:
        return Question(application_slug, first, rest)
    return Question(application_slug, reference.registry, reference.repository)


def _refuse_other_proxies(reference: Reference, proxy_host: str) -> None:
    parts = reference.repository.split("/")
    if reference.registry == proxy_host:
        raise MalformedName(
            f"Images of the proxy are named {proxy_host}/proxy/APPLICATION/REGISTRY/"
            "REPOSITORY."
        )
    if parts[0] == PROXY_PREFIX and len(parts) > 3:
        raise MalformedName(
            f"This name leads to {reference.registry}, not to {proxy_host}, so its "
            "pulls never reach Berth."
        )
