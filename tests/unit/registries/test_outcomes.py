from __future__ import annotations

from images.web.why_steps import _ADVICE
from registries.decision.steps import Reason
from registries.models.outcomes import REFUSALS, outcome_in_words


def test_every_reason_has_its_words_and_its_advice() -> None:
    assert set(REFUSALS) == {reason.value for reason in Reason} == set(_ADVICE)


def test_an_unknown_outcome_is_shown_unchanged() -> None:
    assert outcome_in_words("allowed") == "Allowed"
    assert outcome_in_words("some_new_reason") == "Some new reason"
