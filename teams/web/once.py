"""A form submitted twice creates one object; the second submission leads there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse

from portal.crypto.secrets import Secret
from portal.errors import Conflict
from portal.http.forms import CreateForm
from portal.http.pages import GoTo, go_to
from teams.idempotency import find_record, is_same_request, keep_answer, take_key
from teams.models import IdempotencyRecord
from teams.web.base import ActingRequest


@dataclass(slots=True)
class Submission:
    """The first submission of a form; ``address`` is where its object is found."""

    request: ActingRequest
    address: str = ""

    def done(self, address: str, message: str) -> HttpResponse:
        """Go to the created object, with a message."""
        self.address = address
        messages.success(self.request, message)
        return go_to(self.request, address)


@contextmanager
def once(request: ActingRequest, form: CreateForm) -> Iterator[Submission]:
    """Run the block in one transaction with the record of the form's submission.

    An error undoes both, so that the form can be submitted again. A block that does
    not answer with ``done`` sets ``address``.

    Raises:
        GoTo: the form was submitted before; leads to the object created then.
        Conflict: it was submitted before with other values.
    """
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        record, is_new = take_key(request.actor, _key(form), fingerprint)
        if not is_new:
            _go_to_object(request, form, record)
        submission = Submission(request)
        yield submission
        keep_answer(record, 302, {}, Secret(submission.address))


def raise_if_submitted(request: ActingRequest, form: CreateForm) -> None:
    """Raise as :func:`once` does, before slow work begins."""
    record = find_record(request.actor, _key(form))
    if record is not None:
        _go_to_object(request, form, record)


def _go_to_object(
    request: ActingRequest, form: CreateForm, record: IdempotencyRecord
) -> None:
    if not is_same_request(record, _fingerprint(request)):
        raise Conflict(
            "form_sent_before",
            "This form was already submitted with other values. Check what that "
            "created, then open the form again.",
        )
    if form.repeated:
        messages.warning(request, form.repeated)
    raise GoTo(record.body.reveal())


def _key(form: CreateForm) -> str:
    return f"form:{form.cleaned_data['submission']}"


def _fingerprint(request: ActingRequest) -> str:
    values = sorted(
        (name, request.POST.getlist(name))
        for name in request.POST
        if name != "csrfmiddlewaretoken"
    )
    return f"{request.path}\n{json.dumps(values)}"


def claim(request: ActingRequest, form: CreateForm, address: str) -> IdempotencyRecord:
    """Take a form's key at once, for work in several transactions.

    ``address`` is where the work's outcome is found, by :func:`outcome_of`.

    Raises:
        GoTo: the form was submitted before; leads to the outcome.
        Conflict: it was submitted before with other values.
    """
    with transaction.atomic():
        record, is_new = take_key(request.actor, _key(form), _fingerprint(request))
        if not is_new and is_same_request(record, _fingerprint(request)):
            raise GoTo(address)
        if not is_new:
            _go_to_object(request, form, record)
        return record


def outcome_of(request: ActingRequest, submission: uuid.UUID) -> Any:
    """Return the outcome of a claimed form; None while there is none.

    Raises:
        Http404: the actor submitted no such form in the last 24 hours.
    """
    record = find_record(request.actor, f"form:{submission}")
    if record is None:
        raise Http404
    return json.loads(record.body.reveal()) if record.status else None
