"""Forms that show what services refuse, and that lose or double no change."""

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

from portal.errors import Invalid, NotAllowed, PortalError


class CreateForm(forms.Form):
    """A form that creates something, and only once: see ``teams.web.once``."""

    submission = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    # Shown when the form is submitted again, where going to what it made is not enough.
    repeated = ""

    @property
    def entered(self) -> dict[str, Any]:
        """Return the values of a valid form."""
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if name != "submission"
        }


class EditForm(forms.Form):
    """A form that changes something, unless somebody else did first.

    ``seen`` is the fingerprint of the values that the form was rendered with.
    """

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    # Set if somebody else changed the row since; the page says so.
    is_overtaken = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # The current values, in words, of fields in which others were entered.
        self.current: dict[str, str] = {}

    def differing(self) -> list[str]:
        """Return the fields whose sent values are not those of ``initial``."""
        return [field.name for field in self.visible_fields() if _differs(field)]

    def overtake(self) -> None:
        """Keep what was entered, and name the current values, except for secrets."""
        self.is_overtaken = True
        fields = [self[name] for name in self.differing() if name in self.initial]
        self.current = {
            field.name: _in_words(field)
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
    """Return a form of a row's values, and whether what it brought was saved.

    ``values`` reads the form's values from the row. If they have changed since the form
    was shown, nothing is saved: the form keeps what was entered and ``is_overtaken``.
    A form that brings the current values, as a second submission does, counts as saved.
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
            form.overtake()
        elif is_valid:
            with refusals_in(form, names):
                entered = {**form.cleaned_data}
                del entered["seen"]
                save(current, entered)
                return form, True
    return form, False


def _differs(field: forms.BoundField) -> bool:
    initial, sent = _with_plain_ends(field.initial), _with_plain_ends(field.data)
    if not field.field.has_changed(initial, sent):
        return False
    try:
        return bool(field.field.to_python(initial) != field.field.to_python(sent))
    except (ValidationError, TypeError, ValueError):
        return True


def _with_plain_ends(value: Any) -> Any:
    """Return a text with the line ends that are stored; browsers send others."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _in_words(field: forms.BoundField) -> str:
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
    """Return a digest of values, the same for the same values."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@contextmanager
def refusals_in(
    form: forms.Form, names: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Turn what a service refuses in the block into errors of the form.

    ``names`` maps the service's names of values to fields of the form, where they
    differ. Errors of no field are shown above the form.
    """
    try:
        yield
    except NotAllowed:
        raise  # this reader may not see the page at all
    except Invalid as error:
        _add(form, error.fields, names or {})
    except ValidationError as error:
        fields = error.message_dict if hasattr(error, "error_dict") else None
        _add(form, fields or {NON_FIELD_ERRORS: error.messages}, names or {})
    except PortalError as error:
        form.add_error(None, error.message)
    except IntegrityError:
        form.add_error(None, "Somebody else made a change first. Check it, then retry.")


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
