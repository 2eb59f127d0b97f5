"""The logo of the invented company, drawn when it is asked for: a falcon from below."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.pages.pictures import color_png

# Twice as many pixels as pages show it with, for dense screens.
SIZE = 80
SAMPLES = 3  # in each direction of a pixel, so that edges are smooth
GROUND, BIRD = (15, 118, 110), (255, 255, 255)
CORNER = 0.22
# The right half of its outline, from beak to tail, in a square of side 1.
_HALF = (
    (0.50, 0.16),
    (0.545, 0.215),
    (0.56, 0.31),
    (0.68, 0.27),
    (0.79, 0.33),
    (0.90, 0.50),
    (0.76, 0.455),
    (0.66, 0.47),
    (0.575, 0.54),
    (0.555, 0.66),
    (0.60, 0.85),
    (0.50, 0.80),
)
_OUTLINE = (*_HALF, *((1 - x, y) for x, y in reversed(_HALF)))
_EDGES = tuple(zip(_OUTLINE, _OUTLINE[1:] + _OUTLINE[:1], strict=True))


def example_logo() -> bytes:
    """Return the logo as a PNG with transparent corners; always the same bytes."""
    return color_png([list(_row(number)) for number in range(SIZE)])


def _row(number: int) -> Iterator[tuple[int, int, int, int]]:
    for column in range(SIZE):
        points = [
            ((column + across) / SIZE, (number + down) / SIZE)
            for across in _steps()
            for down in _steps()
        ]
        covered = sum(_is_on_ground(*point) for point in points) / len(points)
        white = sum(_is_on_bird(*point) for point in points) / len(points)
        red, green, blue = (
            round(ground + (bird - ground) * white)
            for ground, bird in zip(GROUND, BIRD, strict=True)
        )
        yield red, green, blue, round(255 * covered)


def _steps() -> list[float]:
    return [(step + 0.5) / SAMPLES for step in range(SAMPLES)]


def _is_on_ground(x: float, y: float) -> bool:
    """Return whether a point is in the square with round corners."""
    across = max(CORNER - x, x - (1 - CORNER), 0)
    down = max(CORNER - y, y - (1 - CORNER), 0)
    return across**2 + down**2 <= CORNER**2


def _is_on_bird(x: float, y: float) -> bool:
    """Return whether a line from the point to the right leaves the outline."""
    crossed = (
        x < x1 + (y - y1) * (x2 - x1) / (y2 - y1)
        for (x1, y1), (x2, y2) in _EDGES
        if (y1 > y) != (y2 > y)
    )
    return sum(crossed) % 2 == 1
