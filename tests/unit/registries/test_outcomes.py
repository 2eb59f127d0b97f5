from __future__ import annotations

from images.web.why_steps import _ADVICE
from registries.models.outcomes import Reason, outcome_in_words


def test_every_reason_has_its_advice() -> None:
    assert set(_ADVICE) == set(Reason)


def test_an_unknown_outcome_is_shown_unchanged() -> None:
    assert outcome_in_words("allowed") == "Allowed"
    assert outcome_in_words("license_revoked") == "License revoked"
    assert outcome_in_words("some_new_reason") == "Some new reason"
