"""The private registry (CNCF Distribution): its images, as far as Berth knows."""

from __future__ import annotations
