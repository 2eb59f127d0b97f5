from __future__ import annotations


class BenchError(Exception):
    """The benchmark cannot go on, or measured answers that are not the right ones."""
