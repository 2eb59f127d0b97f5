"""What customers are to be told, left for the room above, which knows their people."""

from __future__ import annotations

from licenses.models import License, Notice, NoticeKind
from portal.wake import Task, wake


def note(license: License, kind: NoticeKind, key: str, **data: object) -> None:
    """Store a notice, once per kind, license and ``key``.

    Call it in the change's transaction: what is rolled back is not told, and nothing is
    lost if no worker is running.
    """
    notice = Notice(
        team_id=license.team_id,
        license=license,
        kind=kind,
        key=f"{kind}:{license.pk}:{key}",
        data=data,
    )
    Notice.objects.bulk_create([notice], ignore_conflicts=True)
    wake(Task.DISPATCH_NOTICES)
