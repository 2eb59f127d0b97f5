"""The sentences of denials, as docs/reference/pull-errors.md promises them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from registries.decision import sentences
from registries.decision.steps import Refusal
from teams.actors import ActorKind
from tests.support.rows.facts import connected_registry

DOCUMENT = Path(__file__).parents[4] / "docs/reference/pull-errors.md"
AT = datetime(2026, 11, 23, tzinfo=UTC)
QUAY = connected_registry()


@pytest.mark.parametrize(
    "refusal",
    [
        sentences.credential_unknown(is_private=False),
        sentences.credential_unknown(is_private=True),
        sentences.second_factor_required(),
        sentences.application_not_licensed("my-app"),
        sentences.credential_revoked(AT, "cluster"),
        sentences.credential_expired(AT, "cluster"),
        sentences.license_id_replaced(AT),
        sentences.network_not_allowed("192.0.2.7", "cluster", ["10.0.0.0/8"]),
        sentences.license_revoked(AT, "unpaid"),
        sentences.license_expired(AT),
        sentences.customer_archived(),
        sentences.registry_not_connected("my-app", "quay.io"),
        sentences.registry_not_shared("my-app", "quay.io", QUAY),
        sentences.repository_not_allowed("my-org/api", QUAY),
        sentences.image_without_application("worker"),
        sentences.beyond_license("push"),
        sentences.read_only_token("push"),
        sentences.beyond_role(ActorKind.USER, "push"),
        sentences.catalog_not_listed(),
    ],
)
def test_each_sentence_is_documented_with_its_reason(refusal: Refusal) -> None:
    rows = [
        line.split(" | ")
        for line in DOCUMENT.read_text().splitlines()
        if line.startswith(f"| `{refusal.reason}` | ")
    ]

    assert rows
    same_as_above = refusal.reason == "registry_not_shared"
    sentence = "The same sentence." if same_as_above else refusal.message
    assert sentence in [row[1] for row in rows]
