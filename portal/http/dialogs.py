"""Dialogs over the page; without scripts, each is a page of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from portal.http.forms import EditForm, RowT, edit, refusals_in
from portal.http.pages import go_to, render_page

_DEFAULTS = {
    "text": "",  # one paragraph above the fields
    "details": "",  # a template with more details
    "submit": "Save",
    "tone": "primary",
    "is_possible": True,  # False hides the button
}


def render_dialog(
    request: HttpRequest,
    template: str = "portal/dialog.html",
    *,
    title: str,
    back: str,
    **context: Any,
) -> HttpResponse:
    """Render a dialog with its form; ``back`` is the URL of Cancel.

    ``context`` may override ``_DEFAULTS``. Other templates extend
    ``portal/dialog.html``.
    """
    shown = {**_DEFAULTS, **context, "title": title, "dialog": template, "back": back}
    return render_page(request, "portal/dialog_page.html", shown, partial=template)


def confirm(
    request: HttpRequest,
    act: Callable[[], object],
    *,
    done: str | Callable[[Any], str],
    back: str,
    after: str | Callable[[], str] = "",
    form: forms.Form | None = None,
    names: Mapping[str, str] | None = None,
    **dialog: Any,
) -> HttpResponse:
    """Ask for confirmation, call ``act``, show the message ``done`` and redirect.

    A ``done`` that depends on what happened is called with what ``act`` returned.
    ``after`` is the URL to redirect to, if not ``back``. Errors of ``act`` are shown in
    the dialog, with ``names`` as in :func:`refusals_in`.
    """
    if form is None:
        form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with refusals_in(request, form, names):
            result = act()
            messages.success(request, done(result) if callable(done) else done)
            return go_to(request, after() if callable(after) else after or back)
    return render_dialog(request, form=form, back=back, **{"tone": "danger", **dialog})


def edit_dialog(
    request: HttpRequest,
    form_class: type[EditForm],
    row: RowT,
    *,
    values: Callable[[RowT], Mapping[str, Any]],
    save: Callable[[RowT, dict[str, Any]], object],
    done: str,
    back: str,
    names: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    **dialog: Any,
) -> HttpResponse:
    """Let ``row`` be edited as in :func:`edit`; then report ``done`` and go ``back``.

    ``options`` are passed to the form.
    """
    form, is_saved = edit(
        request,
        form_class,
        row,
        values=values,
        save=save,
        names=names,
        **(options or {}),
    )
    if is_saved:
        messages.success(request, done)
        return go_to(request, back)
    return render_dialog(request, form=form, back=back, **dialog)
