"""From a request to the private registry to the accesses that it needs.

The rules are those of CNCF Distribution (registry/handlers/app.go), which asks the same
of the registry token afterwards: the method says which action, whatever the path is,
and ``from`` of a mount is a pull too. What Distribution does not serve needs no access
and gets none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from edge.http import RegistryError, parse_form
from edge.proxy.route import Kind, check_reference
from edge.pull_counter import PulledImage
from oci.errors import ErrorCode
from oci.reference import MalformedName, parse_repository
from registries.decision.image import ImageAccess

CATALOG_SCOPE = "registry:catalog:*"

# What decides first comes first: who may not push is told so.
_ACTIONS = {
    "GET": ("pull",),
    "HEAD": ("pull",),
    "POST": ("push", "pull"),
    "PUT": ("push", "pull"),
    "PATCH": ("push", "pull"),
    "DELETE": ("delete",),
}
_UPLOAD = re.compile(r"/v2/(?P<repository>.+)/blobs/uploads/[a-zA-Z0-9_.=-]*")
_OTHER = re.compile(
    rf"/v2/(?P<repository>.+)/(?P<kind>{'|'.join(Kind)})/(?P<reference>[^/]+)"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request needs; nothing but any good token, if there are no accesses.

    ``pulled`` is what a manifest request asks for, to be counted if it is refused.
    ``is_probe`` is for a HEAD of a blob, as pushes begin with.
    """

    method: str
    accesses: tuple[ImageAccess, ...] = ()
    is_catalog: bool = False
    pulled: PulledImage | None = None
    is_probe: bool = False

    @property
    def scope(self) -> str:
        """Return the scopes to ask a token for, as a challenge lists them."""
        if self.is_catalog:
            return CATALOG_SCOPE
        actions: dict[str, list[str]] = {}
        for each in self.accesses:
            actions.setdefault(each.repository, []).append(each.action)
        return " ".join(
            f"repository:{repository}:{','.join(sorted(set(of_it)))}"
            for repository, of_it in actions.items()
        )


def parse_wanted(method: str, uri: str) -> Wanted:
    """Read a request line's method and target.

    Raises:
        RegistryError: 400 malformed, 404 nothing that registries serve, 405.
    """
    if method not in _ACTIONS:
        raise RegistryError(
            405,
            ErrorCode.UNSUPPORTED,
            "The registry does not take this method.",
            headers=[("Allow", ", ".join(_ACTIONS))],
        )
    raw_path, _, query = uri.partition("?")
    path = _decoded(raw_path)
    if path in {"/v2", "/v2/"}:
        return Wanted(method)
    if path == "/v2/_catalog":
        return Wanted(method, is_catalog=True)
    repository, kind, reference = _split(path)
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


def _split(path: str) -> tuple[str, Kind | None, str]:
    """Return repository, kind and reference; None is an upload."""
    if upload := _UPLOAD.fullmatch(path):
        return _repository(upload["repository"]), None, ""
    other = _OTHER.fullmatch(path)
    if other is None:
        raise _not_found()
    kind = Kind(other["kind"])
    if kind is Kind.TAGS and other["reference"] != "list":
        raise _not_found()
    check_reference(kind, other["reference"])
    return _repository(other["repository"]), kind, other["reference"]


def _repository(text: str) -> str:
    try:
        return parse_repository(text)
    except MalformedName as error:
        raise RegistryError(400, ErrorCode.NAME_INVALID, str(error)) from error


def _mounted_from(query: str) -> list[str]:
    """Return the repositories that a blob is to be mounted from."""
    if ";" in query:  # some servers take it for another &
        raise RegistryError(400, ErrorCode.UNSUPPORTED, "The query is not valid.")
    pairs = parse_form(query.encode("latin-1"))
    return [_repository(value) for name, value in pairs if name == "from" and value]


def _pulled(
    access: ImageAccess, method: str, kind: Kind | None, reference: str
) -> PulledImage | None:
    if kind is not Kind.MANIFESTS or method not in {"GET", "HEAD"} or not access.image:
        return None
    return PulledImage(access.application, access.image, reference, is_private=True)


def _not_found() -> RegistryError:
    return RegistryError(
        404,
        ErrorCode.NAME_UNKNOWN,
        "Nothing is served here. Images are named APPLICATION_SLUG/IMAGE:TAG.",
    )
