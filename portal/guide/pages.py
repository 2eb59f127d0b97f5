"""Reads the built guide."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.safestring import SafeString, mark_safe


class NotBuilt(Exception):  # noqa: N818 -- states the fact
    """Nobody has built the guide of this installation."""


@dataclass(frozen=True, slots=True)
class GuidePage:
    """A page of the guide, and the titles of all pages by section."""

    title: str
    html: SafeString
    sections: list[dict[str, Any]]


def guide_page(directory: Path, name: str) -> GuidePage | None:
    """Return the page with this name, such as ``registries/quay/``, or None.

    ``name`` is empty for the first page, and holds no dots.

    Raises:
        NotBuilt: the directory has no guide.
    """
    if not (directory / "index.html").is_file():
        raise NotBuilt
    try:
        text = (directory / name / "index.html").read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    page = json.loads(text)
    # The build made it of our own Markdown; nobody else writes there.
    html = mark_safe(page["html"])  # noqa: S308
    return GuidePage(page["title"], html, page["sections"])
