"""What customers are to be told, left for the room above, which knows their people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from licenses.models import License, Notice, NoticeKind
from portal.wake import Task, wake


def note(license: License, kind: NoticeKind, key: str, **data: object) -> None:
    """Store a notice, once per kind, license and ``key``.

    Call it in the change's transaction: what is rolled back is not told, and nothing is
    lost if no worker is running.
    """
    note_all([(license, key, data)], kind)


def note_all(
    noted: Iterable[tuple[License, str, Mapping[str, object]]], kind: NoticeKind
) -> None:
    """Store a notice for each license with its key and data, as :func:`note` does."""
    notices = [
        Notice(
            team_id=license.team_id,
            license=license,
            kind=kind,
            key=f"{kind}:{license.pk}:{key}",
            data=data,
        )
        for license, key, data in noted
    ]
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
    wake(Task.DISPATCH_NOTICES)
