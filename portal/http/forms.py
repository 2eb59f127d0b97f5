"""Forms that show service errors, and neither lose nor repeat changes."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.choices import flatten_choices

from portal.errors import Invalid, NotAllowed, PortalError, TooMany
from portal.http.errors import refuse_page


class CreateForm(forms.Form):
    """A form that creates something, and only once: see ``teams.web.once``."""

    submission = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    # Shown with the redirect to the existing object if the form is submitted again.
    repeated = ""

    @property
    def entered(self) -> dict[str, Any]:
        """Return the values entered in a valid form."""
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name != "submission"
        }


class EditForm(forms.Form):
    """A form that changes something, unless somebody else changed it first.

    ``seen`` is the fingerprint of the values that the form was rendered with.
    """

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    # Set if somebody else changed the row after the form was shown.
    has_conflict = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # After a conflict, the current values of the fields that differ, as text.
        self.current: dict[str, str] = {}

    def differing(self) -> list[str]:
        """Return the names of the fields whose values differ from ``initial``."""
        return [field.name for field in self.visible_fields() if _differs(field)]

    def show_conflict(self) -> None:
        """Keep the entered values, and show the current ones beside them."""
        self.has_conflict = True
        fields = [self[name] for name in self.differing() if name in self.initial]
        self.current = {
            field.name: _as_text(field)
            for field in fields
            if not isinstance(field.field.widget, forms.PasswordInput)
        }


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
    """Return a form of a row's values, and whether it was submitted and saved.

    ``values`` reads the form's values from the row. If they have changed since the form
    was shown, nothing is saved and the form ``has_conflict``. A form with the current
    values, such as a second submission, counts as saved.
    """
    if request.method != "POST":
        shown = values(row)
        initial = {**shown, "seen": fingerprint(shown)}
        return form_class(initial=initial, **options), False
    with transaction.atomic():
        current = type(row)._base_manager.select_for_update().get(pk=row.pk)
        shown = values(current)
        data = request.POST.copy()
        data["seen"] = fingerprint(shown)
        form = form_class(data, initial={**shown, "seen": data["seen"]}, **options)
        is_valid = form.is_valid()
        if request.POST.get("seen") != data["seen"]:
            if is_valid and not form.differing():
                return form, True
            form.show_conflict()
        elif is_valid:
            with refusals_in(request, form, names):
                entered = {**form.cleaned_data}
                del entered["seen"]
                save(current, entered)
                return form, True
    return form, False


def _differs(field: forms.BoundField) -> bool:
    initial, entered = _normalized(field.initial), _normalized(field.data)
    if not field.field.has_changed(initial, entered):
        return False
    try:
        return bool(field.field.to_python(initial) != field.field.to_python(entered))
    except (ValidationError, TypeError, ValueError):
        return True


def _normalized(value: Any) -> Any:
    """Return a text with the stored line ends; browsers submit others."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _as_text(field: forms.BoundField) -> str:
    value = field.initial
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    choices: Any = flatten_choices(getattr(field.field.widget, "choices", ()))
    labels = {str(choice): str(label) for choice, label in choices}
    items = value if isinstance(value, list | tuple) else [value]
    texts = ["" if item is None else str(item) for item in items]
    return ", ".join(labels.get(text, text) for text in texts if text) or "empty"


def fingerprint(values: Mapping[str, Any]) -> str:
    """Return a digest of the values, equal for equal values."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@contextmanager
def refusals_in(
    request: HttpRequest, form: forms.Form, names: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Turn the errors that a service raises in the block into errors of the form.

    ``names`` maps the service's names to fields of the form where they differ. Errors
    without a field are shown above the form. The page is 429 or 503 after ``TooMany``.
    """
    try:
        yield
    except NotAllowed:
        raise  # the user may not see the page at all
    except Invalid as error:
        _add(form, error.fields, names or {})
    except ValidationError as error:
        fields = error.message_dict if hasattr(error, "error_dict") else None
        _add(form, fields or {NON_FIELD_ERRORS: error.messages}, names or {})
    except PortalError as error:
        if isinstance(error, TooMany):
            refuse_page(request, error)
        form.add_error(None, error.message)
    except IntegrityError:
        form.add_error(
            None, "Somebody else made a change first. Review it, then try again."
        )


def _add(
    form: forms.Form,
    errors: Mapping[str, Iterable[str]],
    names: Mapping[str, str],
) -> None:
    for name, messages in errors.items():
        field = names.get(name, name)
        target = field if field in form.fields else None
        for message in messages:
            form.add_error(target, message)
