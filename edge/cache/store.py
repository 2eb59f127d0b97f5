"""Objects on disk: whole ones with the right bytes, found by their place and digest.

The edge alone writes here. A file gets its name when its sha256 is right, and nginx
reads it under that name. See docs/operations/proxy-cache.md for the directories.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Self

from edge.cache.marks import is_whole, mark_used, mark_whole
from edge.cache.place import Place
from oci.media_types import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

ObjectKind = Literal["blobs", "manifests"]
BLOB_TYPE = "application/octet-stream"
# nginx finds a manifest's media type by its extension.
EXTENSIONS = {
    OCI_INDEX: "oci-index",
    OCI_MANIFEST: "oci-manifest",
    DOCKER_LIST: "docker-list",
    DOCKER_MANIFEST: "docker-manifest",
}
OBJECTS, LARGE, TMP = "objects", "large", "tmp"
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}")
# The room that a body of undeclared length gets at a time.
_MORE_BYTES = 16 * 2**20
_USE_SECONDS = 60
# A link, or a disk that has lost the file. Other failures, such as too many open
# files, pass.
_BROKEN = {errno.ELOOP, errno.EIO}
# Another process was quicker. That is no reason to leave the disk alone.
_FULL = {errno.ENOSPC, errno.EDQUOT}
# The cache manager may remove an empty directory before its first file arrives.
_RENAMES = 3


class NoRoom(Exception):  # noqa: N818 -- states the fact
    """An object would take more than the cache or the disk has for it."""


class ObjectKey(NamedTuple):
    place: Place
    kind: ObjectKind
    digest: str

    @property
    def is_kept(self) -> bool:
        return bool(_DIGEST.fullmatch(self.digest))


@dataclass(frozen=True, slots=True)
class Limits:
    """``nginx_bytes`` is the size of the largest object that nginx may serve."""

    max_bytes: int
    min_free_bytes: int
    nginx_bytes: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept object, open to be read."""

    file: io.FileIO
    path: Path
    digest: str
    media_type: str
    size: int

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    @property
    def is_unchanged(self) -> bool:
        return is_whole(os.fstat(self.file.fileno()))

    def note_use(self) -> None:
        """Keep it from eviction; a minute is exact enough."""
        used = os.fstat(self.file.fileno()).st_atime
        if abs(time.time() - used) > _USE_SECONDS:
            with contextlib.suppress(OSError):
                mark_used(self.path)


class Store:
    """Finds, writes and deletes objects; every method may wait for the disk."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root = root
        self._limits = limits
        self._reserving = threading.Lock()

    def find(self, key: ObjectKey) -> Entry | None:
        """Return an object that is whole; delete what is not."""
        for path, media_type in object_paths(self.root, key):
            try:
                entry = _open_entry(path, key.digest, media_type)
            except OSError as error:
                if error.errno in _BROKEN:
                    _delete(path)
                continue
            if entry.is_unchanged:
                entry.note_use()
                return entry
            entry.file.close()
            _delete(path)
        return None

    def begin(self, key: ObjectKey, media_type: str, size: int | None) -> Draft:
        """Begin to write an object; all of a declared ``size`` is reserved on the disk.

        Raises:
            NoRoom: it does not fit.
            OSError: the disk is full or broken.
        """
        self.check_room(size or 0)
        directory = self.root / TMP
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / f"{os.getpid()}-{uuid.uuid4().hex}"
        file = io.FileIO(path, "x+b", opener=_read_only)
        draft = Draft(self, key, media_type, path, file)
        try:
            self._reserve(draft, size or 0)
        except (OSError, NoRoom):
            draft.discard()
            draft.close()
            raise
        return draft

    def _reserve(self, draft: Draft, size: int) -> None:
        # One at a time: two that fit alone may not fit together.
        with self._reserving:
            self.check_room(size)
            try:
                if size:
                    os.posix_fallocate(draft.file.fileno(), 0, size)
            except OSError as error:
                if error.errno in _FULL:
                    raise NoRoom("the disk is full") from error
                raise
        draft.room = size

    def put(self, key: ObjectKey, media_type: str, body: bytes) -> None:
        """Keep a small object whose bytes are right.

        Raises:
            NoRoom, OSError: as by ``begin``.
        """
        draft = self.begin(key, media_type, len(body))
        with draft.file:
            try:
                draft.write(body)
                draft.keep()
            except BaseException:
                draft.discard()
                raise

    def path_of(self, key: ObjectKey, media_type: str, size: int) -> Path:
        """Return where an object is kept."""
        is_large = key.kind == "blobs" and size > self._limits.nginx_bytes
        directory = _directory(self.root, LARGE if is_large else OBJECTS, key)
        if key.kind == "blobs":
            return directory / key.digest
        return directory / f"{key.digest}.{EXTENSIONS[media_type]}"

    def reserve_more(self, draft: Draft) -> None:
        """Check the room for a draft of undeclared length again; raises NoRoom."""
        self.check_room(_MORE_BYTES, written=draft.size)
        draft.room = draft.size + _MORE_BYTES

    def check_room(self, size: int, written: int = 0) -> None:
        """Raise NoRoom if so many more bytes do not fit; raises OSError too."""
        disk = os.statvfs(_existing(self.root))
        free = disk.f_bavail * disk.f_frsize
        if free - size < self._limits.min_free_bytes:
            raise NoRoom("BERTH_CACHE_MIN_FREE_BYTES would not stay free")
        if size + written > self._limits.max_bytes:
            raise NoRoom("larger than BERTH_CACHE_BYTES")


@dataclass(slots=True)
class Draft:
    """An object that is being written, and is kept only if its bytes are right."""

    store: Store
    key: ObjectKey
    media_type: str
    path: Path
    file: io.FileIO
    size: int = 0
    room: int = 0
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_right(self) -> bool:
        return f"sha256:{self._hash.hexdigest()}" == self.key.digest

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            NoRoom: a body of undeclared length grew too large.
            OSError: the disk is full or broken.
        """
        with self._writing:
            self._hash.update(data)
            self.size += len(data)
            if self.size > self.room:
                self.store.reserve_more(self)
            rest = memoryview(data)
            while rest:
                rest = rest[self.file.write(rest) :]

    def keep(self) -> None:
        """Give the object its name; raises OSError."""
        if not self.is_right:
            raise ValueError(f"not the bytes of {self.key.digest}")
        mark_whole(self.file.fileno())
        # A name must not outlive a power cut that its bytes do not.
        os.fsync(self.file.fileno())
        name_file(self.path, self.store.path_of(self.key, self.media_type, self.size))

    def discard(self) -> None:
        """Delete what was written, as far as the disk lets us."""
        _delete(self.path)

    def close(self) -> None:
        """Close the file when no thread writes to it any more."""
        with self._writing:
            self.file.close()


def name_file(draft: Path, target: Path) -> None:
    """Rename a file, into a directory that may not exist; raises OSError."""
    for attempt in range(_RENAMES):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(target)
        except FileNotFoundError:
            if attempt == _RENAMES - 1:
                raise
        else:
            return


def object_paths(root: Path, key: ObjectKey) -> Iterator[tuple[Path, str]]:
    """Return everywhere that an object may be, and its media type there."""
    if key.kind == "blobs":
        for top in (OBJECTS, LARGE):
            yield _directory(root, top, key) / key.digest, BLOB_TYPE
        return
    for media_type, extension in EXTENSIONS.items():
        yield _directory(root, OBJECTS, key) / f"{key.digest}.{extension}", media_type


def _directory(root: Path, top: str, key: ObjectKey) -> Path:
    return root / top / key.place.path / key.kind


def _open_entry(path: Path, digest: str, media_type: str) -> Entry:
    file = io.FileIO(path, "rb", opener=_no_link)
    size = os.fstat(file.fileno()).st_size
    return Entry(file, path, digest, media_type, size)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _read_only(path: str, flags: int) -> int:
    # The umask says whether nginx may read it as one of the group, or as anybody.
    return os.open(path, flags, 0o444)


def _existing(directory: Path) -> Path:
    return next(path for path in (directory, *directory.parents) if path.exists())


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
