"""Dialogs: a form over the page, or a page of its own for a browser without scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from portal.http.forms import refusals_in
from portal.http.pages import go_to, render_page

_DEFAULTS = {
    "text": "",  # one paragraph above the fields
    "details": "",  # a template that says more
    "submit": "Save",
    "tone": "primary",
    "is_possible": True,  # without it there is no button
}


def render_dialog(
    request: HttpRequest,
    template: str = "portal/dialog.html",
    *,
    title: str,
    back: str,
    **context: Any,
) -> HttpResponse:
    """Render a dialog with its form; ``back`` is where Cancel leads.

    ``context`` may have the values of ``_DEFAULTS``. Another ``template`` extends
    ``portal/dialog.html``.
    """
    shown = {**_DEFAULTS, **context, "title": title, "dialog": template, "back": back}
    return render_page(request, "portal/dialog_page.html", shown, partial=template)


def confirm(
    request: HttpRequest,
    act: Callable[[], object],
    *,
    done: str,
    back: str,
    after: str | Callable[[], str] = "",
    form: forms.Form | None = None,
    names: Mapping[str, str] | None = None,
    **dialog: Any,
) -> HttpResponse:
    """Ask before calling ``act``; then say that it is ``done``, and go on.

    ``after`` is where to go on, if not ``back``. What ``act`` refuses is shown in the
    dialog, its values by ``names`` as in :func:`refusals_in`.
    """
    if form is None:
        form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with refusals_in(form, names):
            act()
            messages.success(request, done)
            return go_to(request, after() if callable(after) else after or back)
    return render_dialog(request, form=form, back=back, **{"tone": "danger", **dialog})
