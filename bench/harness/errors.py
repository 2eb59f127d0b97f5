from __future__ import annotations


class BenchError(Exception):
    """The benchmark cannot continue, or a measured server answered wrongly."""
