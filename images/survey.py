"""Reads the current content of a repository from the registry itself.

Berth's rows may lag behind. Before a deletion, it must be certain what else needs the
object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from images.client import RegistryClient
from images.manifest import INDEXES

AT_ONCE = 8
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Survey:
    """The digest of each tag, and what each existing index needs."""

    tags: dict[str, str]
    indexes: dict[str, set[str]]

    def is_needed(self, digest: str, *, except_for: str) -> bool:
        """Return whether anything needs a manifest, except one tag or index."""
        return self._is_tagged(digest, except_for) or any(
            digest in needed
            for index, needed in self.indexes.items()
            if index not in {except_for, digest}
        )

    def _is_tagged(self, digest: str, except_for: str) -> bool:
        return any(
            named == digest for tag, named in self.tags.items() if tag != except_for
        )


async def survey(
    client: RegistryClient, repository: str, known: Iterable[str]
) -> Survey:
    """Read all tags of a repository, and the untagged manifests that Berth knows.

    ``known`` are digests that may be indexes.

    Raises:
        PrivateRegistryProblem: something could not be read.
    """
    names = await client.tags(repository)
    references = [*names, *sorted(set(known))]

    async def ask(reference: str) -> tuple[str, str] | None:
        return await client.look(repository, reference)

    looked = dict(zip(references, await _concurrently(ask, references), strict=True))
    existing = [look for look in looked.values() if look is not None]
    indexes = sorted(
        {digest for digest, media_type in existing if media_type in INDEXES}
    )

    async def needed_by(digest: str) -> set[str]:
        return await client.needed_by(repository, digest)

    needed = await _concurrently(needed_by, indexes)
    tagged = ((name, looked[name]) for name in names)
    return Survey(
        tags={name: look[0] for name, look in tagged if look is not None},
        indexes=dict(zip(indexes, needed, strict=True)),
    )


async def _concurrently(
    ask: Callable[[Item], Awaitable[Result]], items: Iterable[Item]
) -> list[Result]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def wait(item: Item) -> Result:
        async with gate:
            return await ask(item)

    return await asyncio.gather(*(wait(item) for item in items))
