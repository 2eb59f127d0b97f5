"""The lines of an export, written as slowly as they are read."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from operator import attrgetter
from typing import Any

from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework.utils.encoders import JSONEncoder

from audit.services import record
from audit.tags import EventTag
from export.rows import EXPORTED, TEAM_COLUMNS, Exported
from portal.database.deadlines import REQUEST_SECONDS, each_waiting_at_most
from portal.http.keyset import in_batches
from portal.limits.waiting import waiting
from teams.actors import Actor
from teams.models import Team
from teams.permissions import Permission

# Generators of clients know no application/jsonl, and leave such an answer out.
CONTENT_TYPE = "text/plain; charset=utf-8"
FORMAT = 1
# Rows of so many parents are read at a time.
PARENTS = 20


def export_team(*, actor: Actor, team: Team) -> StreamingHttpResponse:
    """Stream all that a team owns as JSON Lines, without secrets; audited.

    Each batch of rows is a query of its own: a slow reader keeps no transaction open,
    and a row that changes during the export is as it was when its line was written. The
    last line says how many there are, so that a torn download is noticed.

    Raises:
        NotAllowed: the actor may not export the team.
        TooMany: the team reads as many downloads as allowed.
    """
    actor.require(Permission.TEAM_EXPORT, team_id=team.pk)
    lines = _waiting_for_reader(team)
    next(lines)  # or it is refused
    record(actor, EventTag.TEAM_EXPORTED, team, team.pk)
    response = StreamingHttpResponse(lines, content_type=CONTENT_TYPE)
    name = f"{team.slug}-{timezone.now():%Y-%m-%d}.jsonl"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _waiting_for_reader(team: Team) -> Iterator[str]:
    """Yield an empty text, then the lines; the team's share is held until the end."""
    with waiting(team.pk):
        yield ""
        number = 0
        for batch in each_waiting_at_most(REQUEST_SECONDS, _batches(team)):
            number += len(batch)
            yield "".join(map(_line, batch))
        yield _line({"type": "end", "lines": number})


def _batches(team: Team) -> Iterator[list[Mapping[str, object]]]:
    head = {"type": "export", "format": FORMAT, "exported_at": timezone.now()}
    of_team = {name: getattr(team, name) for name in TEAM_COLUMNS}
    yield [head, {"type": "team", **of_team}]
    for exported in EXPORTED:
        values = {name: attrgetter(path) for name, path in exported.paths.items()}
        for rows in _rows(exported, team.pk):
            yield [{"type": exported.kind, **_values(row, values)} for row in rows]


def _values(
    row: Model, values: Mapping[str, Callable[[Model], object]]
) -> dict[str, object]:
    return {name: value(row) for name, value in values.items()}


def _rows(exported: Exported, team_id: uuid.UUID) -> Iterator[list[Any]]:
    rows: QuerySet[Any] = exported.model._base_manager.filter(team_id=team_id)
    paths = [path.replace(".", "__") for path in exported.paths.values()]
    joined = {path.rpartition("__")[0] for path in paths if "__" in path}
    # Only what is named leaves the database.
    rows = rows.select_related(*joined or [None]).only(*paths)
    if not exported.parent:
        yield from in_batches(rows, exported.sort)
        return
    parent: Any = exported.model._meta.get_field(exported.parent).related_model
    parents = parent._base_manager.filter(team_id=team_id).only("created_at")
    for batch in in_batches(parents):
        for some in _chunks(batch, PARENTS):
            yield list(rows.filter(**{f"{exported.parent}__in": some}).order_by("pk"))


def _chunks(rows: Iterable[Model], size: int) -> Iterator[list[Model]]:
    rest = iter(rows)
    while chunk := list(islice(rest, size)):
        yield chunk


def _line(values: Mapping[str, object]) -> str:
    text = json.dumps(values, cls=_Encoder, ensure_ascii=False, separators=(",", ":"))
    return f"{text}\n"


class _Encoder(JSONEncoder):
    """Writes as the API does; bytes, such as a logo, in base64."""

    def default(self, obj: Any) -> Any:
        if isinstance(obj, bytes | memoryview):
            return base64.b64encode(obj).decode()
        return super().default(obj)
