"""The accesses that a request to the private registry needs.

The rules are those of CNCF Distribution (registry/handlers/app.go), which checks the
registry token for the same accesses afterwards: the method names the action, whatever
the path, and ``from`` of a mount is a pull too. What Distribution does not serve is
refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from edge.http import RegistryError, method_not_allowed, parse_form
from edge.proxy.route import Kind, check_reference
from edge.pull_counter import PulledImage
from oci.errors import ErrorCode
from oci.reference import MalformedName, parse_repository
from registries.decision.image import ImageAccess

CATALOG_SCOPE = "registry:catalog:*"

# In the order of the checks: without the right to push, the answer names push.
_ACTIONS = {
    "GET": ("pull",),
    "HEAD": ("pull",),
    "POST": ("push", "pull"),
    "PUT": ("push", "pull"),
    "PATCH": ("push", "pull"),
    "DELETE": ("delete",),
}
_READS = {"GET", "HEAD"}
_UPLOAD = re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/[a-zA-Z0-9_.=-]*")
_OTHER = re.compile(
    rf"/v2/(?P<repository>.+)/(?P<kind>{'|'.join(Kind)})/(?P<reference>[^/]+)"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The accesses that a request needs. Without any, every valid token will do.

    ``pulled`` is the image of a manifest request, counted if it is refused.
    ``is_probe`` marks a HEAD of a blob, with which pushes begin.
    """

    method: str
    accesses: tuple[ImageAccess, ...] = ()
    is_catalog: bool = False
    pulled: PulledImage | None = None
    is_probe: bool = False

    @property
    def scope(self) -> str:
        """Return the scopes of the token to ask for, as a challenge lists them."""
        if self.is_catalog:
            return CATALOG_SCOPE
        actions: dict[str, list[str]] = {}
        for access in self.accesses:
            actions.setdefault(access.repository, []).append(access.action)
        return " ".join(
            f"repository:{repository}:{','.join(sorted(set(names)))}"
            for repository, names in actions.items()
        )


def parse_wanted(method: str, uri: str) -> Wanted:
    """Read a request line's method and target.

    Raises:
        RegistryError: 400 malformed, 404 not a path of registries, or nothing can be
            there, 405.
    """
    if method not in _ACTIONS:
        raise method_not_allowed("The registry does not support this method.", _ACTIONS)
    raw_path, _, query = uri.partition("?")
    path = _decoded(raw_path)
    if path in {"/v2", "/v2/"}:
        return Wanted(method)
    if path == "/v2/_catalog":
        return Wanted(method, is_catalog=True)
    repository, kind, reference = _split(path, method)
    accesses = [ImageAccess(repository, action) for action in _ACTIONS[method]]
    accesses += [ImageAccess(source, "pull") for source in _mounted_from(query)]
    return Wanted(
        method,
        tuple(accesses),
        pulled=_pulled(accesses[0], method, kind, reference),
        is_probe=method == "HEAD" and kind is Kind.BLOBS,
    )


def _decoded(path: str) -> str:
    try:
        return unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise RegistryError(
            400, ErrorCode.NAME_INVALID, "The address is not valid."
        ) from error


def _split(path: str, method: str) -> tuple[str, Kind | None, str]:
    """Return repository, kind and reference; the kind of an upload is None."""
    if upload := _UPLOAD.fullmatch(path):
        return _repository(upload["repository"]), None, ""
    other = _OTHER.fullmatch(path)
    if other is None:
        raise _not_found()
    kind = Kind(other["kind"])
    if kind is Kind.TAGS and other["reference"] != "list":
        raise _not_found()
    check_reference(kind, other["reference"], is_read=method in _READS)
    return _repository(other["repository"]), kind, other["reference"]


def _repository(text: str) -> str:
    try:
        return parse_repository(text)
    except MalformedName as error:
        raise RegistryError(400, ErrorCode.NAME_INVALID, str(error)) from error


def _mounted_from(query: str) -> list[str]:
    """Return the repositories that an upload mounts a blob from."""
    if ";" in query:  # some servers read it as &
        raise RegistryError(400, ErrorCode.UNSUPPORTED, "The query is not valid.")
    pairs = parse_form(query.encode("latin-1"))
    return [_repository(value) for name, value in pairs if name == "from" and value]


def _pulled(
    access: ImageAccess, method: str, kind: Kind | None, reference: str
) -> PulledImage | None:
    if kind is not Kind.MANIFESTS or method not in _READS or not access.image:
        return None
    return PulledImage(access.application, access.image, reference, is_private=True)


def _not_found() -> RegistryError:
    return RegistryError(
        404,
        ErrorCode.NAME_UNKNOWN,
        "Nothing is served here. Images are named APPLICATION_SLUG/IMAGE:TAG.",
    )
