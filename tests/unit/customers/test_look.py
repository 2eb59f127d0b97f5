"""A vendor's colors are readable in both themes, and its logo is a picture."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.accent import (
    CONTRAST,
    DARK_BACKGROUNDS,
    LIGHT_BACKGROUNDS,
    accents,
    contrast,
    is_color,
)
from customers.logo import MAX_BYTES, MAX_PIXELS, Logo, NotALogo, read_logo
from tests.support.pages.pictures import jpeg, png

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_every_color_is_made_readable_in_both_themes(color: str) -> None:
    backgrounds = (LIGHT_BACKGROUNDS, DARK_BACKGROUNDS)
    for accent, behind in zip(accents(color), backgrounds, strict=True):
        assert all(contrast(accent.text, each) >= CONTRAST for each in behind)
        assert all(contrast(accent.button, each) >= 3 for each in behind)
        assert contrast(accent.on_button, accent.button) >= CONTRAST


def test_a_readable_color_is_not_changed() -> None:
    light, _dark = accents("#1b55a6")

    assert (light.text, light.button, light.on_button) == (
        "#1b55a6",
        "#1b55a6",
        "#ffffff",
    )


def test_contrast_is_computed_as_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("text", ["", "red", "#FFF", "#1b55a", "1b55a6", "#1b55a6;"])
def test_other_texts_are_not_colors(text: str) -> None:
    assert not is_color(text)


def test_pictures_are_recognized_by_their_bytes() -> None:
    assert read_logo(png(30, 20)) == Logo("image/png", 30, 20)
    assert read_logo(jpeg(30, 20)) == Logo("image/jpeg", 30, 20)


class Counted(bytes):
    """Bytes that count how many of them were copied."""

    copied = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if isinstance(key, slice):
            self.copied += len(found)
        return found


def test_a_long_scan_is_read_once() -> None:
    """A picture that takes seconds to read would hold up everybody's pages."""
    whole = jpeg()
    end = whole.rindex(b"\xff\xd9")
    stuffed = b"\xff\x00" * ((MAX_BYTES - len(whole)) // 2)
    content = Counted(whole[:end] + stuffed + whole[end:])

    assert read_logo(content).content_type == "image/jpeg"
    assert content.copied < 2 * len(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        SVG,
        b"<html>",
        png() + b" ",
        png(after=SVG),
        jpeg(after=b"<script>"),
        png()[:-1],
        png()[:20],
        png().replace(b"IHDR", b"IHDX"),
        png().replace(b"\x80\x80", b"\x80\x81") + b"x",
        png(MAX_PIXELS + 1, 1),
        png(1, 0),
        jpeg(1, MAX_PIXELS + 1),
        jpeg()[:-2],
        jpeg()[:8],
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + b"\0" * 50,
        png(after=b"\0" * MAX_BYTES),
    ],
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(NotALogo):
        read_logo(content)


@given(st.binary(max_size=60), st.integers(0, 60))
def test_damaged_pictures_raise_no_other_error(noise: bytes, at: int) -> None:
    for whole in (png(), jpeg()):
        try:
            read_logo(whole[:at] + noise + whole[at:])
        except NotALogo:
            continue
