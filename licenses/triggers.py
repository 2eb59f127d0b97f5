"""Rules that the database enforces by triggers, because constraints cannot."""

from __future__ import annotations

import pgtrigger

_REFUSE_RETIRED_SLUG = """
IF EXISTS (
    SELECT FROM licenses_retiredslug retired
    WHERE retired.slug = NEW.slug AND retired.team_id <> NEW.team_id
) THEN
    RAISE EXCEPTION 'the slug % is retired and another team''s', NEW.slug
        USING ERRCODE = 'unique_violation', CONSTRAINT = TG_NAME;
END IF;
RETURN NULL;
"""

# After the insert: by then, a concurrent deletion of the slug has committed.
SLUG_NOT_RETIRED = pgtrigger.Trigger(
    name="slug_not_retired",
    when=pgtrigger.After,
    operation=(
        pgtrigger.Insert | pgtrigger.UpdateOf("team_id", "slug")  # type: ignore[no-untyped-call]
    ),
    func=_REFUSE_RETIRED_SLUG,
)
