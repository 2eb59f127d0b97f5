"""The current code and an earlier revision, measured in the same rounds."""

from __future__ import annotations
