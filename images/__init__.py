"""The private registry, CNCF Distribution: what it holds, as Berth knows it."""

from __future__ import annotations
