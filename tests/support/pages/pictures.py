"""Small pictures, whole and damaged, made without a library."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import chain

# Color types of a PNG (ISO/IEC 15948, table 11.1); the second one is with opacity.
_GRAY, _COLOR = 0, 6


def color_png(rows: Sequence[Sequence[tuple[int, int, int, int]]]) -> bytes:
    """Return a PNG of rows of pixels: red, green, blue, and how opaque."""
    pixels = b"".join(b"\0" + bytes(chain.from_iterable(row)) for row in rows)
    return _png(len(rows[0]), len(rows), _COLOR, pixels)


def png(width: int = 2, height: int = 2, *, after: bytes = b"") -> bytes:
    """Return a gray PNG, with something ``after`` its end."""
    pixels = (b"\0" + b"\x80" * width) * height
    return _png(width, height, _GRAY, pixels) + after


def jpeg(width: int = 2, height: int = 2, *, after: bytes = b"") -> bytes:
    """Return the frame of a JPEG with a scan, and something ``after`` its end."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    return (
        b"\xff\xd8"
        + _segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
        + _segment(0xC0, frame)
        + _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")
        + b"\x12\xff\x00\x34\xff\xd0\x56"
        + b"\xff\xd9"
        + after
    )


def _png(width: int, height: int, kind: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(pixels))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body
