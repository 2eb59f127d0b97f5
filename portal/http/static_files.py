"""Where static files come from, and how they are named and compressed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

_TABLER = "@tabler/core/dist/css"
_INTER = "@fontsource-variable/inter"
# One file for each alphabet; a browser fetches those that a page uses.
_ALPHABETS = (
    *("latin", "latin-ext", "vietnamese", "greek", "greek-ext"),
    *("cyrillic", "cyrillic-ext"),
)


class NodeFilesFinder(BaseFinder):
    """Finds what pages use in ``node_modules``, and nothing else of its packages."""

    FILES = (
        f"{_TABLER}/tabler.min.css",
        f"{_TABLER}/tabler.min.css.map",
        f"{_INTER}/wght.css",
        *(f"{_INTER}/files/inter-{name}-wght-normal.woff2" for name in _ALPHABETS),
    )

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        self._storage = FileSystemStorage(settings.BASE_DIR / "node_modules")

    def find(self, path: str, find_all: bool = False, **_kwargs: Any) -> Any:
        if path not in self.FILES or not self._storage.exists(path):
            # Django takes only an empty list for a missing file, even for one file.
            return []
        location = self._storage.path(path)
        return [location] if find_all else location

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        """Yield what ``collectstatic`` copies."""
        for path in self.FILES:
            yield path, self._storage


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Files named by their content, so that browsers may keep them for good.

    Tests and development run without ``collectstatic``; names stay plain there.
    """

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name
