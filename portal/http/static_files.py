"""Static files from ``node_modules``, where ``npm ci`` puts what package.json names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

_TABLER = "@tabler/core/dist/css"


class NodeFilesFinder(BaseFinder):
    """Finds the few files that pages use, and nothing else of the packages."""

    FILES = (f"{_TABLER}/tabler.min.css", f"{_TABLER}/tabler.min.css.map")

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        self._storage = FileSystemStorage(settings.BASE_DIR / "node_modules")

    def find(self, path: str, find_all: bool = False, **_kwargs: Any) -> Any:
        found = path in self.FILES and self._storage.exists(path)
        paths = [self._storage.path(path)] if found else []
        return paths if find_all else (paths[0] if paths else None)

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        """Yield what ``collectstatic`` copies."""
        for path in self.FILES:
            yield path, self._storage
