"""Forms and the errors of services: what a service refuses, the form says."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.http import HttpRequest

from portal.errors import Invalid, NotAllowed, PortalError

T = TypeVar("T")


class CreateForm(forms.Form):
    """A form that makes something: sent twice, it makes it once.

    ``submission`` names one rendering of the form; see ``teams.web.once``.
    """

    submission = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


class EditForm(forms.Form):
    """A form that changes something, and notices when somebody else did first.

    ``seen`` is the fingerprint of the values that the form was rendered with.
    """

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    # Set if the form shows what somebody else changed meanwhile; the page says so.
    is_overtaken = False


FormT = TypeVar("FormT", bound=EditForm)
RowT = TypeVar("RowT", bound=Model)


def edit(
    request: HttpRequest,
    form_class: type[FormT],
    row: RowT,
    *,
    values: Callable[[RowT], Mapping[str, Any]],
    save: Callable[[RowT, dict[str, Any]], object],
    names: Mapping[str, str] | None = None,
    **options: Any,
) -> tuple[FormT, bool]:
    """Show a form with a row's values, or save what it brings; return if it was saved.

    ``values`` reads the form's values from the row. If they are no longer those that
    the form was shown with, nothing is saved: the form comes back with the present
    ones and ``is_overtaken``.
    """

    def filled(found: RowT) -> FormT:
        shown = values(found)
        initial = {**shown, "seen": fingerprint(shown)}
        return form_class(initial=initial, **options)

    if request.method != "POST":
        return filled(row), False
    form = form_class(request.POST, **options)
    with transaction.atomic():
        present = type(row)._base_manager.select_for_update().get(pk=row.pk)
        if form.data.get(form.add_prefix("seen")) != fingerprint(values(present)):
            form = filled(present)
            form.is_overtaken = True
            return form, False

        def save_present() -> bool:
            save(present, _without_seen(form.cleaned_data))
            return True

        return form, bool(saved(form, save_present, names))


def _without_seen(cleaned: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in cleaned.items() if name != "seen"}


def fingerprint(values: Mapping[str, Any]) -> str:
    """Return a digest of values, the same for the same values."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def saved(
    form: forms.Form, save: Callable[[], T], names: Mapping[str, str] | None = None
) -> T | None:
    """Return what ``save`` returns, or None with its refusal as errors of the form.

    ``names`` maps the service's names of values to fields of the form, where they
    differ. What no field is to blame for is told above the form.
    """
    if not form.is_valid():
        return None
    try:
        return save()
    except NotAllowed:
        raise  # the page itself is not for this reader
    except Invalid as error:
        _add(form, error.fields, names or {})
    except ValidationError as error:
        found = error.message_dict if hasattr(error, "error_dict") else None
        _add(form, found or {NON_FIELD_ERRORS: error.messages}, names or {})
    except PortalError as error:
        form.add_error(None, error.message)
    except IntegrityError:
        form.add_error(None, "Another change came first. Look again and repeat yours.")
    return None


def _add(
    form: forms.Form,
    errors: Mapping[str, Iterable[str]],
    names: Mapping[str, str],
) -> None:
    for name, messages in errors.items():
        field = names.get(name, name)
        known = field if field in form.fields else None
        for message in messages:
            form.add_error(known, message)
