"""Questions about random licenses, in process: the one place that calls a decision."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from bench.seed.licenses import REGISTRIES
from licenses.models import License
from portal.crypto.secrets import Secret
from registries.decision.credentials import PresentedCredential
from registries.decision.pull import authorize_pull

# Returns a decision, allowed or denied.
Question = Callable[[], object]


def draw_questions(count: int) -> list[Question]:
    """Draw from the whole table, repeating licenses if there are too few."""
    drawn = License._base_manager.select_related("application").order_by("?")[:count]
    questions: list[Question] = [
        partial(
            authorize_pull,
            PresentedCredential("bench", Secret(license.license_id.reveal())),
            license.application.slug,
            f"registry{random.randrange(REGISTRIES)}",
            "my-org/api",
        )
        for license in drawn
    ]
    missing = count - len(questions)
    return questions + random.choices(questions, k=missing) if missing else questions
