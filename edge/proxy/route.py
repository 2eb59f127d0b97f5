"""Routes of the proxy: a request's path, read strictly by the distribution-spec."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.http import RegistryError
from edge.pull_counter import PulledImage
from oci.digest import MalformedDigest, parse_digest
from oci.errors import ErrorCode
from oci.reference import MalformedName, parse_manifest_reference
from registries.decision.proxied_name import ProxiedName, parse_proxied_name


class Kind(StrEnum):
    MANIFESTS = "manifests"
    BLOBS = "blobs"
    TAGS = "tags"
    REFERRERS = "referrers"


# The code where nothing is found (distribution-spec, "Error Codes"). Without the
# referrers API, NAME_UNKNOWN would keep clients from the referrers' tag: oras takes it
# for an unknown repository.
UNKNOWN_CODES = {
    Kind.MANIFESTS: ErrorCode.MANIFEST_UNKNOWN,
    Kind.BLOBS: ErrorCode.BLOB_UNKNOWN,
    Kind.TAGS: ErrorCode.NAME_UNKNOWN,
    Kind.REFERRERS: ErrorCode.MANIFEST_UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Route:
    """One object of a proxied repository; ``reference`` is ``list`` for tags."""

    name: ProxiedName
    kind: Kind
    reference: str

    @property
    def scope(self) -> str:
        return self.name.scope

    @property
    def is_immutable(self) -> bool:
        """Return whether the reference is the digest of the content."""
        return self.kind is Kind.BLOBS or (
            self.kind is Kind.MANIFESTS and ":" in self.reference
        )

    @property
    def pulled(self) -> PulledImage | None:
        """Return what counts as a pull: a manifest, and none of its parts."""
        if self.kind is not Kind.MANIFESTS:
            return None
        return PulledImage(self.name.application, self.name.path, self.reference)

    def upstream_path(self, repository: str) -> str:
        return f"/v2/{repository}/{self.kind.value}/{self.reference}"


def parse_route(path: str) -> Route:
    """Read ``/v2/<name>/<kind>/<reference>``.

    Raises:
        RegistryError: 400 for a malformed name; 404 for a malformed tag or digest, and
            for what the proxy does not serve, such as ``_catalog``.
    """
    *name, kind_text, reference = path.removeprefix("/v2/").split("/")
    try:
        kind = Kind(kind_text)
    except ValueError:
        raise not_found() from None
    if not name or (kind is Kind.TAGS and reference != "list"):
        raise not_found()
    try:
        proxied = parse_proxied_name("/".join(name))
    except MalformedName as error:
        raise RegistryError(400, ErrorCode.NAME_INVALID, str(error)) from error
    check_reference(kind, reference)
    return Route(proxied, kind, reference)


def check_reference(kind: Kind, reference: str, *, is_read: bool = True) -> None:
    """Check a tag or digest.

    Raises:
        RegistryError: it is malformed. 404 where a manifest or blob is read, since
            nothing can have that name; 400 otherwise.
    """
    try:
        if kind is Kind.MANIFESTS:
            parse_manifest_reference(reference)
        elif kind is not Kind.TAGS:
            parse_digest(reference)
    except (MalformedName, MalformedDigest) as error:
        # distribution-spec, "Listing Referrers", demands 400 for a malformed digest.
        if is_read and kind is not Kind.REFERRERS:
            raise RegistryError(404, UNKNOWN_CODES[kind], str(error)) from error
        is_tag = isinstance(error, MalformedName)
        code = ErrorCode.TAG_INVALID if is_tag else ErrorCode.DIGEST_INVALID
        raise RegistryError(400, code, str(error)) from error


def not_found() -> RegistryError:
    return RegistryError(
        404,
        ErrorCode.NAME_UNKNOWN,
        "Nothing is served here. Proxied images are named "
        "proxy/<application>/<registry>/<repository>.",
    )
