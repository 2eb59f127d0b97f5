"""A vendor's color in both themes, made light or dark enough to be read.

Contrast is that of WCAG 2.2: at least 4.5 to 1 between text and what is behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CONTRAST = 4.5
# What is behind text in the two themes: Tabler's surfaces and pages.
LIGHT_BACKGROUNDS = ("#ffffff", "#fafafa")
DARK_BACKGROUNDS = ("#262626", "#171717")
_STEPS = 100

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Accent:
    """A color as text and as a button in one theme, with the button's text."""

    text: str
    button: str
    on_button: str


def is_color(text: str) -> bool:
    return re.fullmatch(r"#[0-9a-f]{6}", text) is not None


def accents(color: str) -> tuple[Accent, Accent]:
    """Return the color in the light and in the dark theme."""
    return _accent(color, LIGHT_BACKGROUNDS, 0), _accent(color, DARK_BACKGROUNDS, 255)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colors, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _accent(color: str, backgrounds: tuple[str, ...], toward: int) -> Accent:
    text = _readable(color, backgrounds, toward)
    # A button is as the vendor chose it, with black or white on it, if it can be seen.
    button = _readable(color, backgrounds, toward, least=3)
    on_button = max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, button))
    return Accent(text, button, on_button)


def _readable(
    color: str, backgrounds: tuple[str, ...], toward: int, least: float = CONTRAST
) -> str:
    """Move a color toward black or white until it contrasts with all backgrounds."""
    start = _parse(color)
    for step in range(_STEPS + 1):
        mixed = _hex(
            tuple(part + (toward - part) * step // _STEPS for part in start)  # type: ignore[arg-type]  # three parts
        )
        if all(contrast(mixed, behind) >= least for behind in backgrounds):
            return mixed
    return _hex((toward, toward, toward))


def _luminance(color: str) -> float:
    linear = [
        part / 255 / 12.92
        if part / 255 <= 0.04045
        else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in _parse(color)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _parse(color: str) -> Color:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
