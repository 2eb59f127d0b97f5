"""A form sent twice has one effect: the second answer is the first one again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db import transaction
from django.http import HttpResponse

from portal.crypto.secrets import Secret
from portal.errors import Conflict
from portal.http.forms import CreateForm
from teams.idempotency import (
    find_record,
    has_answer,
    is_same_request,
    keep_answer,
    take_key,
)
from teams.models import IdempotencyRecord
from teams.web.base import TeamRequest

T = TypeVar("T")
# What a page needs to come out the same again.
_KEPT_HEADERS = ("Location", "HX-Redirect", "Content-Type")
# Long enough for a second click and a reload; then a secret was shown once.
_SECRET_LIFETIME = timedelta(minutes=10)


def once(
    request: TeamRequest,
    form: CreateForm,
    answer: Callable[[], HttpResponse],
    *,
    shows_secret: bool = False,
) -> HttpResponse:
    """Return what ``answer`` returns, or what it returned for this form before.

    All it does is one transaction with the record of the form. An error it raises
    undoes everything and leaves the form free to be sent again. An answer that
    ``shows_secret`` is given again for ten minutes only.
    """
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        record, is_new = take_key(request.actor, _key(form), fingerprint)
        if not is_new:
            return _again(record, fingerprint)
        response = answer()
        keep_answer(
            record,
            response.status_code,
            _kept(response),
            lifetime=_SECRET_LIFETIME if shows_secret else None,
        )
        return response


def once_ready(
    request: TeamRequest,
    form: CreateForm,
    prepare: Callable[[], T],
    answer: Callable[[T], HttpResponse],
) -> HttpResponse:
    """Do as :func:`once`, with what ``prepare`` returns before the transaction begins.

    For what asks others, which may take their time, and stores nothing.
    """
    record = find_record(request.actor, _key(form))
    if record is not None:
        return _again(record, _fingerprint(request))
    ready = prepare()
    return once(request, form, lambda: answer(ready))


def _key(form: CreateForm) -> str:
    return f"form:{form.cleaned_data['submission']}"


def _kept(response: HttpResponse) -> Secret:
    # May show a secret that is shown once: the record is encrypted.
    found = response.headers
    headers = {name: found[name] for name in _KEPT_HEADERS if name in found}
    return Secret(
        json.dumps({"headers": headers, "content": response.content.decode()})
    )


def _again(record: IdempotencyRecord, fingerprint: str) -> HttpResponse:
    if not is_same_request(record, fingerprint):
        raise Conflict(
            "form_sent_before",
            "This form was sent before with other values. Look at what it "
            "made, then open the form again.",
        )
    if not has_answer(record):
        raise Conflict(
            "form_sent_before",
            "This form was sent before; what it made is in the list.",
        )
    kept = json.loads(record.body.reveal())
    response = HttpResponse(
        kept["content"], status=record.status, headers=kept["headers"]
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _fingerprint(request: TeamRequest) -> str:
    values = sorted(
        (name, request.POST.getlist(name))
        for name in request.POST
        if name != "csrfmiddlewaretoken"
    )
    return f"{request.actor.role} {request.path}\n{json.dumps(values)}"
