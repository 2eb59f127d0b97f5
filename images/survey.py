"""What is in a repository at this moment, asked of the registry itself.

Berth's rows follow the registry, and may be behind. Before something is deleted, what
else needs it has to be known for sure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from images.client import RegistryClient
from images.manifest import INDEXES

AT_ONCE = 8
Asked = TypeVar("Asked")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Survey:
    """Digests that tags name, and of what each index needs that is there."""

    tags: dict[str, str]
    indexes: dict[str, set[str]]

    def is_needed(self, digest: str, *, but_for: str) -> bool:
        """Tell whether something needs a manifest, besides one tag or index."""
        return self._is_tagged(digest, but_for) or any(
            digest in needed
            for index, needed in self.indexes.items()
            if index not in {but_for, digest}
        )

    def _is_tagged(self, digest: str, but_for: str) -> bool:
        return any(
            named == digest for tag, named in self.tags.items() if tag != but_for
        )


async def survey(
    client: RegistryClient, repository: str, known: Iterable[str]
) -> Survey:
    """Look at all tags of a repository, and at what Berth knows without a tag.

    ``known`` are digests that may be indexes.

    Raises:
        PrivateRegistryProblem: something could not be read.
    """
    names = await client.tags(repository)
    references = [*names, *sorted(set(known))]

    async def ask(reference: str) -> tuple[str, str] | None:
        return await client.look(repository, reference)

    looked = dict(zip(references, await _at_once(ask, references), strict=True))
    found = [each for each in looked.values() if each is not None]
    indexes = sorted({digest for digest, media_type in found if media_type in INDEXES})

    async def needed_by(digest: str) -> set[str]:
        return await client.needed_by(repository, digest)

    needed = await _at_once(needed_by, indexes)
    tagged = ((name, looked[name]) for name in names)
    return Survey(
        tags={name: look[0] for name, look in tagged if look is not None},
        indexes=dict(zip(indexes, needed, strict=True)),
    )


async def _at_once(
    ask: Callable[[Asked], Awaitable[Found]], of: Iterable[Asked]
) -> list[Found]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def wait(each: Asked) -> Found:
        async with gate:
            return await ask(each)

    return await asyncio.gather(*(wait(each) for each in of))
