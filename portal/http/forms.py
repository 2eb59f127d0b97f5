"""Forms and the errors of services: what a service refuses, the form says."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

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
    # Set if somebody else changed the row meanwhile; the page says so.
    is_overtaken = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # In words, by field: what is there now, where something else was entered.
        self.theirs: dict[str, str] = {}

    def differing(self) -> list[str]:
        """Return the fields whose sent values are not those of ``initial``."""
        return [each.name for each in self.visible_fields() if _differs(each)]

    def overtake(self, present: Mapping[str, Any]) -> None:
        """Keep what was entered, and tell what is there now. Secrets are not told."""
        self.is_overtaken = True
        fields = {name: self[name] for name in self.differing() if name in present}
        self.theirs = {
            name: _in_words(field, present[name])
            for name, field in fields.items()
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
    """Show a form with a row's values, or save what it brings; return if it was saved.

    ``values`` reads the form's values from the row. If they are no longer those that
    the form was shown with, nothing is saved: the form comes back with what was
    entered and ``is_overtaken``. One that brings what is there already, such as one
    that was sent twice, counts as saved.
    """
    if request.method != "POST":
        return form_class(initial=_initial(values(row)), **options), False
    form = form_class(request.POST, **options)
    with transaction.atomic():
        present = type(row)._base_manager.select_for_update().get(pk=row.pk)
        initial = _initial(values(present))
        seen = form.add_prefix("seen")
        if form.data.get(seen) != initial["seen"]:
            data = request.POST.copy()
            data[seen] = initial["seen"]
            form = form_class(data, initial=initial, **options)
            if form.is_valid() and not form.differing():
                return form, True
            form.overtake(initial)
            return form, False

        def save_present() -> bool:
            save(present, _without_seen(form.cleaned_data))
            return True

        return form, bool(saved(form, save_present, names))


def _initial(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "seen": fingerprint(values)}


def _differs(field: forms.BoundField) -> bool:
    initial, sent = _with_plain_ends(field.initial), _with_plain_ends(field.data)
    if not field.field.has_changed(initial, sent):
        return False
    try:
        return bool(field.field.to_python(initial) != field.field.to_python(sent))
    except (ValidationError, TypeError, ValueError):
        return True


def _with_plain_ends(value: Any) -> Any:
    """Return a value; the ends of its lines, of which browsers send two, as one."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _in_words(field: forms.BoundField, value: Any) -> str:
    if isinstance(value, datetime):
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    labels = _labels(getattr(field.field.widget, "choices", ()))
    several = value if isinstance(value, list | tuple) else [value]
    told = ", ".join(
        labels.get(text, text) for each in several if (text := _text(each))
    )
    return told or "empty"


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _labels(choices: Iterable[Any]) -> dict[str, str]:
    """Return the labels of choices, those in groups too."""
    found: dict[str, str] = {}
    for value, label in choices:
        if isinstance(label, list | tuple):
            found |= _labels(label)
        else:
            found[str(value)] = str(label)
    return found


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
