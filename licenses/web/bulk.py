"""Pages that act on many licenses or customers: choose, see the effect, confirm."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from licenses.models import Customer, License
from licenses.selectors import customers_with_licenses, licenses_for_team
from licenses.services.bulk import (
    LIMIT,
    Effect,
    LicenseAction,
    archive_customers,
    archiving,
    change_licenses,
)
from licenses.web.bulk_forms import (
    ArchiveForm,
    BulkForm,
    ChannelForm,
    RenewForm,
    RevokeManyForm,
)
from licenses.web.customers import filtered_customers
from licenses.web.licenses import filtered_licenses
from portal.crypto.secrets import Secret
from portal.http.keyset import NEWEST_FIRST, first_rows
from portal.http.pages import GoTo, go_to, render_page
from portal.http.values import parse_id
from teams.idempotency import keep_answer
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page, team_url
from teams.web.lists.filters import matching
from teams.web.once import claim, outcome_of

Row = License | Customer
Carried = Callable[[BulkForm, Sequence[Any], Mapping[uuid.UUID, int]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Bulk:
    """What the page of an action shows, and how it is carried out.

    ``effect`` is asked only for a valid form. ``done`` is the word of the result.
    """

    title: str
    verb: str
    done: str
    noun: str
    back: str
    form: type[BulkForm]
    effect: Callable[[BulkForm, Any], Effect]
    carry_out: Carried
    tone: str = "primary"
    text: str = ""


@team_page(Permission.LICENSE_CHANGE)
def renew(request: TeamRequest) -> HttpResponse:
    """Renew many licenses, by a year or to a date."""
    return _licenses(
        request,
        title="Renew licenses",
        verb="Renew",
        done="renewed",
        form=RenewForm,
        text="A new expiry applies to pulls within one second.",
    )


@team_page(Permission.LICENSE_CHANGE)
def change_channel(request: TeamRequest) -> HttpResponse:
    """Put many licenses of one application on another channel."""
    return _licenses(
        request,
        title="Change the channel of licenses",
        verb="Change",
        done="changed",
        form=ChannelForm,
    )


@team_page(Permission.LICENSE_REVOKE)
def revoke(request: TeamRequest) -> HttpResponse:
    """Revoke many licenses for one reason."""
    return _licenses(
        request,
        title="Revoke licenses",
        verb="Revoke",
        done="revoked",
        form=RevokeManyForm,
        tone="danger",
        text="Pulls with these licenses stop within one second, also in existing "
        "installations. To undo this, reinstate each license.",
    )


@team_page(Permission.CUSTOMER_MANAGE)
def archive(request: TeamRequest) -> HttpResponse:
    """Archive many customers."""

    def carry_out(
        _form: BulkForm, rows: Sequence[Any], _seen: Mapping[uuid.UUID, int]
    ) -> Iterable[Any]:
        return archive_customers(actor=request.actor, customers=rows)

    bulk = Bulk(
        title="Archive customers",
        verb="Archive",
        done="archived",
        noun="customer",
        back="customers",
        form=ArchiveForm,
        effect=lambda _form, customer: archiving(customer),
        carry_out=carry_out,
        tone="danger",
        text="All pulls with their licenses stop within a second. Nothing is deleted. "
        "To undo this, restore each customer.",
    )
    rows = customers_with_licenses(request.team.pk)
    return _page(request, bulk, rows, lambda: matching(filtered_customers(request)))


@require_safe
@team_page(Permission.LICENSE_READ)
def result(request: TeamRequest, submission: uuid.UUID) -> HttpResponse:
    """Show line by line what an action has done."""
    outcome = outcome_of(request, submission)
    context = {"outcome": outcome, "title": "Result", "back": "licenses"}
    if outcome is not None:
        lines = outcome.pop("lines")
        context |= outcome | {
            "done_lines": [line for line in lines if not line["skipped"]],
            "skipped_lines": [line for line in lines if line["skipped"]],
        }
    return render_page(request, "licenses/bulk_result.html", context)


def _licenses(request: TeamRequest, **shown: Any) -> HttpResponse:
    def action(form: BulkForm) -> LicenseAction:
        return form.action()

    def carry_out(
        form: BulkForm, rows: Sequence[Any], seen: Mapping[uuid.UUID, int]
    ) -> Iterable[Any]:
        return change_licenses(
            actor=request.actor, licenses=rows, action=action(form), seen=seen
        )

    bulk = Bulk(
        noun="license",
        back="licenses",
        effect=lambda form, license: action(form).effect(license),
        carry_out=carry_out,
        **shown,
    )
    rows = licenses_for_team(request.team.pk)
    return _page(request, bulk, rows, lambda: matching(filtered_licenses(request)))


def _page(
    request: TeamRequest,
    bulk: Bulk,
    rows: QuerySet[Any],
    filtered: Callable[[], QuerySet[Any]],
) -> HttpResponse:
    is_posted = request.method == "POST"
    seen = _seen(request.POST.get("selection", "")) if is_posted else {}
    chosen = _chosen(request, bulk, rows, filtered, seen)
    is_shown = request.POST.get("step") in {"show", "confirm"}
    form = bulk.form(request.POST if is_shown else None, rows=chosen)
    is_asked = request.POST.get("step") == "confirm" and form.is_valid()
    if is_asked and form.is_as_shown:
        return _confirmed(request, bulk, form, chosen, seen)
    effects = _effects(bulk, form, chosen)
    context = {
        "bulk": bulk,
        "form": form,
        "is_changed": is_asked,
        "lines": list(zip_longest(map(_name, chosen), effects)),
        "has_effect": bool(effects),
        "count": sum(not effect.skipped for effect in effects),
        "selection": " ".join(f"{row.pk}:{_sequence(row)}" for row in chosen),
        "shown": form.values_shown() if effects else "",
        "back": team_url(request, bulk.back),
    }
    return render_page(request, "licenses/bulk.html", context)


def _chosen(
    request: TeamRequest,
    bulk: Bulk,
    rows: QuerySet[Any],
    filtered: Callable[[], QuerySet[Any]],
    seen: Mapping[uuid.UUID, int],
) -> list[Any]:
    """Return the chosen rows; lead back to the list if there are none or too many."""
    if request.method == "POST":
        chosen = rows.filter(pk__in=list(seen))
    elif request.GET.get("all"):
        chosen = filtered()
    else:
        ids = filter(None, map(parse_id, request.GET.getlist("id")))
        chosen = rows.filter(pk__in=list(ids))
    found = list(first_rows(NEWEST_FIRST.ordered(chosen), LIMIT + 1))
    if not found:
        messages.info(request, f"Select at least one {bulk.noun}.")
    elif len(found) > LIMIT:
        text = f"More than {LIMIT} {bulk.noun}s are selected. Filter the list further."
        messages.error(request, text)
    else:
        return found
    query = request.GET.copy()
    for name in ("all", "id"):
        query.pop(name, None)
    address = team_url(request, bulk.back)
    raise GoTo(f"{address}?{query.urlencode()}".rstrip("?"))


def _seen(text: str) -> dict[uuid.UUID, int]:
    """Return the sequence numbers that a submitted page was shown with."""
    pairs = (pair.partition(":") for pair in text.split())
    known = ((parse_id(pk), number) for pk, _, number in pairs)
    return {pk: int(number) for pk, number in known if pk and number.isdecimal()}


def _effects(bulk: Bulk, form: BulkForm, rows: Sequence[Row]) -> list[Effect]:
    """Return the effect on each row; none while there is no effect to show."""
    has_values = form.is_valid() if form.is_bound else form.has_default
    return [bulk.effect(form, row) for row in rows] if has_values else []


def _confirmed(
    request: TeamRequest,
    bulk: Bulk,
    form: BulkForm,
    rows: Sequence[Any],
    seen: Mapping[uuid.UUID, int],
) -> HttpResponse:
    submission = form.cleaned_data["submission"]
    address = team_url(request, "licenses-bulk-result", submission=submission)
    record = claim(request, form, address)
    lines = [
        {"id": str(row.pk), "name": _name(row), "skipped": skipped}
        for row, skipped in bulk.carry_out(form, rows, seen)
    ]
    outcome = {
        "title": bulk.title,
        "done": bulk.done,
        "noun": bulk.noun,
        "back": bulk.back,
        "lines": sorted(lines, key=lambda line: line["name"].lower()),
    }
    keep_answer(record, 200, {}, Secret(json.dumps(outcome)))
    return go_to(request, address)


def _name(row: Row) -> str:
    if isinstance(row, Customer):
        return row.name
    return f"{row.customer.name}: {row.application.name}"


def _sequence(row: Row) -> int:
    return row.sequence if isinstance(row, License) else 0
