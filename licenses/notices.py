"""What customers are to be told, left for the room above, which knows their people."""

from __future__ import annotations

from collections.abc import Iterable

from licenses.models import License, Notice, NoticeKind
from portal.wake import Task, wake


def note(license: License, kind: NoticeKind, key: str, **data: object) -> None:
    """Store a notice, once per kind, license and ``key``.

    Call it in the change's transaction: what is rolled back is not told, and nothing is
    lost if no worker is running.
    """
    note_all([(license, key)], kind, **data)


def note_all(
    noted: Iterable[tuple[License, str]], kind: NoticeKind, **data: object
) -> None:
    """Store a notice for each license and key, as :func:`note` does."""
    notices = [
        Notice(
            team_id=license.team_id,
            license=license,
            kind=kind,
            key=f"{kind}:{license.pk}:{key}",
            data=data,
        )
        for license, key in noted
    ]
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
    wake(Task.DISPATCH_NOTICES)
