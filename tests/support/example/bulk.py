"""The result of an action on many licenses, as if its form had been submitted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence

from django.db import transaction

from licenses.models import License
from portal.crypto.secrets import Secret
from teams.actors import Actor
from teams.idempotency import keep_answer, take_key


@transaction.atomic
def add_result(actor: Actor, licenses: Sequence[License]) -> dict[str, str]:
    """Store a result of renewing, and return the value of its address."""
    submission = str(uuid.uuid4())
    record, _ = take_key(actor, f"form:{submission}", "")
    lines = [
        {
            "id": str(license.pk),
            "name": f"{license.customer.name}: {license.application.name}",
            "skipped": "It never expires." if license.expires_at is None else "",
        }
        for license in licenses
    ]
    outcome = {
        "title": "Renew licenses",
        "done": "renewed",
        "noun": "license",
        "back": "licenses",
        "lines": lines,
    }
    keep_answer(record, 200, {}, Secret(json.dumps(outcome)))
    return {"submission": submission}
