"""Pictures that vendors upload as their logo: PNG and JPEG, judged by their bytes.

Neither form can hold a script, and browsers are told not to guess another. A file must
end where its picture ends, so that nothing else is published with it.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

MAX_BYTES = 200 * 1024
MAX_PIXELS = 2000  # in each direction

_PNG = b"\x89PNG\r\n\x1a\n"
# Segments of a JPEG that begin a frame, and so tell its size (T.81, table B.1).
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9


class NotALogo(Exception):  # noqa: N818 -- states the fact
    """These bytes are no picture that can be a logo; the message says why."""


@dataclass(frozen=True, slots=True)
class Logo:
    content_type: str
    width: int
    height: int


def read_logo(content: bytes) -> Logo:
    """Return what the picture is.

    Raises:
        NotALogo: it is too large, of another form, or damaged.
    """
    if len(content) > MAX_BYTES:
        raise NotALogo(f"The file is larger than {MAX_BYTES // 1024} KB.")
    try:
        if content.startswith(_PNG):
            logo = Logo("image/png", *_png_size(content))
        elif content.startswith(b"\xff\xd8"):
            logo = Logo("image/jpeg", *_jpeg_size(content))
        else:
            raise NotALogo("Choose a PNG or JPEG file.")
    except (struct.error, IndexError) as error:
        raise NotALogo("The file is damaged.") from error
    if not (0 < logo.width <= MAX_PIXELS and 0 < logo.height <= MAX_PIXELS):
        raise NotALogo(f"A logo has at most {MAX_PIXELS} pixels in each direction.")
    return logo


def _png_size(content: bytes) -> tuple[int, int]:
    """Walk the chunks of a PNG (ISO/IEC 15948, 5.3) and check each."""
    size: tuple[int, int] | None = None
    at = len(_PNG)
    while True:
        (length,) = struct.unpack_from(">I", content, at)
        kind = content[at + 4 : at + 8]
        body = content[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", content, at + 8 + length)
        if zlib.crc32(kind + body) != checksum:
            raise NotALogo("The file is damaged.")
        at += 12 + length
        if size is None:
            if kind != b"IHDR":
                raise NotALogo("The file is damaged.")
            size = struct.unpack_from(">II", body)
        if kind == b"IEND":
            _require_end(content, at)
            return size


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Walk the segments of a JPEG (T.81, B.1.1) to its end."""
    size: tuple[int, int] | None = None
    at = 2
    while True:
        marker = content[at + 1]
        if content[at] != 0xFF:
            raise NotALogo("The file is damaged.")
        if marker == _END:
            _require_end(content, at + 2)
            if size is None:
                raise NotALogo("The file is damaged.")
            return size
        (length,) = struct.unpack_from(">H", content, at + 2)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 5)
            size = (width, height)
        at += 2 + length
        if marker == _SCAN:
            at = _after_scan(content, at)


def _after_scan(content: bytes, at: int) -> int:
    """Return where the next segment begins, after a scan's compressed data."""
    # In it, 0xFF is followed by 0, or by one of the restart markers.
    while True:
        at = content.find(0xFF, at)
        if at < 0:
            raise NotALogo("The file is damaged.")
        if content[at + 1] != 0 and not 0xD0 <= content[at + 1] <= 0xD7:
            return at
        at += 2


def _require_end(content: bytes, at: int) -> None:
    if at != len(content):
        raise NotALogo("The file has something after its picture. Save it again.")
