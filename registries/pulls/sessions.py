"""Which requests are pulls: a pull counts once, however many requests a client makes.

A pull is one manifest that a client gets. Clients do it in different ways: docker and
containerd ask with HEAD for the digest of a tag, then GET that digest; podman, skopeo,
crane and oras GET the tag. If it is an index, they all then GET the manifest of their
platform by digest, or those of all platforms. Each of these is one pull, under the tag
if the client named one. Any other GET by digest is a pull of its own.

One license may be in use on a thousand nodes at once, so requests that may follow are
counted: each HEAD lets one GET of the digest be a pull of the tag, and each GET of an
index lets one GET of each child be a part of it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from oci.digest import is_digest

T = TypeVar("T")

HEAD_SECONDS = 60.0
# After the index or its last child: a client that copies all platforms asks for the
# next child once it has the layers of the one before.
INDEX_SECONDS = 600.0
# Digests, of some 300 bytes each.
MAX_REMEMBERED = 200_000
MAX_REMEMBERED_OF_HOLDER = 10_000
MAX_TAGS_OF_REPOSITORY = 100
MAX_INDEXES_OF_REPOSITORY = 20
MAX_CHILDREN = 200


class ManifestRequest(NamedTuple):
    """A GET or HEAD of a manifest that succeeded.

    ``digest`` is the answer's, or "" if unknown. ``children`` are the digests in an
    index, or None if they are unknown. ``is_stale`` says that the registry was
    unavailable.
    """

    at: float
    holder: str
    repository: str
    method: str
    reference: str
    digest: str
    children: Collection[str] | None = ()
    is_stale: bool = False


class Pulled(NamedTuple):
    """A pull, by the reference that it counts under."""

    reference: str
    is_stale: bool = False


@dataclass(slots=True)
class _Named:
    """A digest that HEAD of a tag named, and how many GETs may follow."""

    tag: str
    heads: int
    until: float
    is_stale: bool


@dataclass(slots=True)
class _Index:
    """How often an index was pulled, and how often its children since."""

    children: frozenset[str] | None
    gets: int = 0
    used: Counter[str] = field(default_factory=Counter)
    until: float = 0.0

    def expects(self, digest: str, *, is_index: bool) -> bool:
        if self.children is None:
            # Nearly all clients get one child, so any manifest may be that one.
            return not is_index and self.used.total() < self.gets
        return digest in self.children and self.used[digest] < self.gets


@dataclass(slots=True)
class _Recent:
    """What a holder did in one repository, by digest."""

    named: dict[str, _Named] = field(default_factory=dict)
    indexes: dict[str, _Index] = field(default_factory=dict)
    size: int = 0

    def measured(self) -> int:
        children = sum(len(index.children or ()) for index in self.indexes.values())
        return len(self.named) + len(self.indexes) + children

    def forget(self, now: float) -> None:
        """Forget what has expired."""
        for digest in [key for key, named in self.named.items() if named.until <= now]:
            del self.named[digest]
        for digest in [key for key, item in self.indexes.items() if item.until <= now]:
            del self.indexes[digest]

    def head(self, request: ManifestRequest, digest: str) -> None:
        heads = named.heads if (named := self.named.get(digest)) else 0
        until = request.at + HEAD_SECONDS
        named = _Named(request.reference, heads + 1, until, request.is_stale)
        _store(self.named, digest, named, MAX_TAGS_OF_REPOSITORY)

    def spend_head(self, digest: str) -> Pulled | None:
        """Return the pull of a tag that this GET is, if it follows a HEAD."""
        named = self.named.get(digest)
        if named is None or not named.heads:
            return None
        named.heads -= 1
        return Pulled(named.tag, named.is_stale)

    def is_part(self, digest: str, now: float, *, is_index: bool) -> bool:
        """Return whether this is a GET of an expected child of an index."""
        known_first = sorted(
            self.indexes.values(), key=lambda index: index.children is None
        )
        for index in known_first:
            if index.expects(digest, is_index=is_index):
                index.used[digest] += 1
                index.until = now + INDEX_SECONDS
                return True
        return False

    def spend_head_of_parent(self, digest: str) -> Pulled | None:
        """Return the pull of a tag whose HEAD named an index with this child.

        A client that still has the index asks for the child alone.
        """
        for parent, index in self.indexes.items():
            is_child = digest in (index.children or ())
            if is_child and (pulled := self.spend_head(parent)):
                return pulled
        return None

    def got_index(
        self, digest: str, children: Collection[str] | None, now: float
    ) -> None:
        index = self.indexes.get(digest) or _Index(None)
        if index.children is None and children is not None:
            index.children = frozenset([*children][:MAX_CHILDREN])
        index.gets += 1
        index.until = now + INDEX_SECONDS
        _store(self.indexes, digest, index, MAX_INDEXES_OF_REPOSITORY)


@dataclass(slots=True)
class _Holder:
    repositories: OrderedDict[str, _Recent] = field(default_factory=OrderedDict)
    size: int = 0


class Sessions:
    """Remembers for some minutes what each holder asked for.

    Memory is bounded, in all and for one holder. The least recently used is forgotten
    first; its remaining requests then count as pulls.
    """

    def __init__(self) -> None:
        self._holders: OrderedDict[str, _Holder] = OrderedDict()
        self.size = 0

    def pulled_as(self, request: ManifestRequest) -> Pulled | None:
        """Return the pull as which a request counts.

        None if it is a part of another pull, or a HEAD.
        """
        if not is_digest(request.digest):
            # An upstream may send thousands of characters to remember.
            request = request._replace(digest="")
        if request.holder not in self._holders and _is_alone(request):
            return Pulled(request.reference, request.is_stale)
        holder = _latest(self._holders, request.holder, _Holder)
        recent = _latest(holder.repositories, request.repository, _Recent)
        recent.forget(request.at)
        counted = _pulled_as(recent, request)
        self._resize(holder, recent, recent.measured())
        if not recent.size:
            del holder.repositories[request.repository]
        if not holder.size:
            del self._holders[request.holder]
        self._forget_the_oldest(holder)
        return counted

    def _resize(self, holder: _Holder, recent: _Recent, size: int) -> None:
        grown = size - recent.size
        recent.size = size
        holder.size += grown
        self.size += grown

    def _forget_the_oldest(self, holder: _Holder) -> None:
        while holder.size > MAX_REMEMBERED_OF_HOLDER:
            _, oldest = holder.repositories.popitem(last=False)
            self._resize(holder, oldest, 0)
        while self.size > MAX_REMEMBERED:
            _, least_recent = self._holders.popitem(last=False)
            self.size -= least_recent.size


def _is_alone(request: ManifestRequest) -> bool:
    """Return whether nothing that follows can belong to this request."""
    return request.method != "HEAD" and request.children == ()


def _pulled_as(recent: _Recent, request: ManifestRequest) -> Pulled | None:
    is_tag = ":" not in request.reference
    if request.method == "HEAD":
        if is_tag and request.digest:
            recent.head(request, request.digest)
        return None
    is_index = request.children is None or bool(request.children)
    counted: Pulled | None = Pulled(request.reference, request.is_stale)
    if not is_tag:
        counted = _pulled_by_digest(recent, request, is_index=is_index)
    if is_index:
        digest = request.digest if is_tag else request.reference
        recent.got_index(digest, request.children, request.at)
    return counted


def _pulled_by_digest(
    recent: _Recent, request: ManifestRequest, *, is_index: bool
) -> Pulled | None:
    digest = request.reference
    if pulled := recent.spend_head(digest):
        return pulled
    if recent.is_part(digest, request.at, is_index=is_index):
        return None
    return recent.spend_head_of_parent(digest) or Pulled(digest)


def _latest(items: OrderedDict[str, T], key: str, make: type[T]) -> T:
    """Return an item, which is the most recently used one now."""
    item = items.get(key)
    if item is None:
        item = items[key] = make()
    items.move_to_end(key)
    return item


def _store(items: dict[str, T], key: str, item: T, most: int) -> None:
    """Store an item as the latest one; the oldest gives way."""
    items.pop(key, None)
    items[key] = item
    if len(items) > most:
        del items[next(iter(items))]
