"""Downloads of whole lists as CSV, however long they are."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from portal.database.deadlines import REQUEST_SECONDS, each_waiting_at_most
from portal.http.keyset import in_batches
from portal.limits.waiting import waiting
from teams.web.base import TeamRequest, team_url
from teams.web.lists.filters import PageFilter
from teams.web.lists.spreadsheets import csv_text
from teams.web.lists.tables import Table

CSV = "text/csv; charset=utf-8"


def export_list(
    request: TeamRequest,
    filters: PageFilter,
    table: Table,
    name: str,
    *,
    prepare: Callable[[list[Any]], Iterable[Any]] = list,
) -> HttpResponseBase:
    """Stream the rows that a list shows, on all its pages, as CSV.

    ``name`` is the list's, in the URLconf and in the name of the file. ``prepare`` adds
    to a batch of rows what their cells need. Leads to the list if a filter is invalid.

    Raises:
        TooMany: the team reads as many such downloads as allowed.
    """
    if not filters.is_valid():
        return redirect(f"{team_url(request, name)}?{request.GET.urlencode()}")
    sort = table.sort(table.order_of(filters.data.get("sort", "")))
    prepared = (prepare(batch) for batch in in_batches(filters.qs, sort))
    batches = each_waiting_at_most(REQUEST_SECONDS, prepared)
    lines = _waiting_for_reader(request.team.pk, table.csv(batches))
    next(lines)  # or it is refused
    response = StreamingHttpResponse(lines, content_type=CSV)
    file = f"{name}-{request.team.slug}-{timezone.localdate():%Y-%m-%d}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def csv_template(columns: Iterable[str], name: str) -> HttpResponse:
    """Send a file with nothing but the head of an import."""
    headers = {"Content-Disposition": f'attachment; filename="{name}-template.csv"'}
    return HttpResponse(csv_text([columns]), content_type=CSV, headers=headers)


def _waiting_for_reader(team_id: uuid.UUID, lines: Iterator[str]) -> Iterator[str]:
    """Yield an empty line, then the lines, as slowly as they are read.

    The team's share is held from the first line on, until the response is closed.
    """
    with waiting(team_id):
        yield ""
        yield from lines
