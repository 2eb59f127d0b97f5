"""All checks, in the order of the spec."""

from __future__ import annotations

from tests.support.conformance import (
    discovery,
    management,
    names,
    pull_blobs,
    pull_manifests,
    push_blobs,
    push_manifests,
)
from tests.support.conformance.check import Check

CHECKS: list[Check] = [
    each
    for module in (
        pull_blobs,
        pull_manifests,
        push_blobs,
        push_manifests,
        names,
        discovery,
        management,
    )
    for each in module.check.all
]
