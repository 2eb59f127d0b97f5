"""A form sent twice has one effect: the second answer is the first one again."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.db import transaction
from django.http import HttpResponse

from portal.crypto.secrets import Secret
from portal.errors import Conflict
from portal.http.forms import CreateForm
from teams.idempotency import is_same_request, keep_answer, take_key
from teams.web.base import TeamRequest

# What a page needs to come out the same again.
_KEPT_HEADERS = ("Location", "HX-Redirect", "Content-Type")


def once(
    request: TeamRequest, form: CreateForm, answer: Callable[[], HttpResponse]
) -> HttpResponse:
    """Return what ``answer`` returns, or what it returned for this form before.

    All it does is one transaction with the record of the form. An error it raises
    undoes everything and leaves the form free to be sent again.
    """
    key = f"form:{form.cleaned_data['submission']}"
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        record, is_new = take_key(request.actor, key, fingerprint)
        if not is_new:
            if not is_same_request(record, fingerprint):
                raise Conflict(
                    "form_sent_before",
                    "This form was sent before with other values. Look at what it "
                    "made, then open the form again.",
                )
            return _again(json.loads(record.body.reveal()), record.status)
        response = answer()
        kept = {
            "headers": {
                name: response.headers[name]
                for name in _KEPT_HEADERS
                if name in response.headers
            },
            # May show a secret that is shown once: the record is encrypted.
            "content": response.content.decode(),
        }
        keep_answer(record, response.status_code, Secret(json.dumps(kept)))
        return response


def _again(kept: dict[str, object], status: int) -> HttpResponse:
    headers = kept["headers"]
    assert isinstance(headers, dict)  # noqa: S101 -- narrows what was written above
    response = HttpResponse(str(kept["content"]), status=status, headers=headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def _fingerprint(request: TeamRequest) -> str:
    values = sorted(
        (name, request.POST.getlist(name))
        for name in request.POST
        if name != "csrfmiddlewaretoken"
    )
    return f"{request.actor.role} {request.path}\n{json.dumps(values)}"
