"""The words of the OCI distribution protocol: pure parsers, no framework, no I/O."""

from __future__ import annotations
