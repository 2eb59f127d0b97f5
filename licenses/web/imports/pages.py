"""The page of an import: upload, see every error or the effect, confirm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from django import forms
from django.db import IntegrityError
from django.http import HttpResponse, QueryDict

from portal.errors import Conflict
from portal.http.forms import CreateForm, fingerprint, refusals_in
from portal.http.pages import render_page
from teams.web.base import TeamRequest, team_url
from teams.web.lists.reading import (
    MAX_BYTES,
    Line,
    Problem,
    Unreadable,
    read_csv,
    text_of_file,
)
from teams.web.once import once

# A page of more lines would take longer to show than to read.
PROBLEMS_SHOWN = 1000
EFFECTS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Effect:
    """What a line does: "add", "change", or "keep" what is there, and details of it."""

    line: int
    name: str
    action: str
    details: Sequence[str] = ()


@dataclass(slots=True)
class Plan:
    """What an import would do, unless there are problems; ``act`` does it."""

    effects: list[Effect] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    act: Callable[[], object] = lambda: None

    def count(self, action: str) -> int:
        return sum(effect.action == action for effect in self.effects)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many lines do what."""
        return {action: self.count(action) for action in ("add", "change", "keep")}

    @property
    def does_something(self) -> bool:
        return any(effect.action != "keep" for effect in self.effects)

    @property
    def effects_shown(self) -> list[Effect]:
        """Return the first effects, those that change something before the others."""
        order = {"change": 0, "add": 1, "keep": 2}
        ordered = sorted(self.effects, key=lambda effect: order[effect.action])
        return ordered[:EFFECTS_SHOWN]

    def fingerprint(self, text: str) -> str:
        """Return what differs if a text, or what it does, is another."""
        lines = [
            (effect.line, effect.action, *effect.details) for effect in self.effects
        ]
        return fingerprint({"text": text, "lines": lines})


class ImportForm(CreateForm):
    """A file, or its text; ``shown`` is the fingerprint of the plan that was shown."""

    file = forms.FileField(
        required=False,
        label="CSV file",
        help_text="In UTF-8, with at most 5,000 lines and 1 MB.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )
    text = forms.CharField(
        required=False,
        strip=False,
        label="Or its text",
        widget=forms.Textarea(
            attrs={
                "rows": 8,
                "class": "font-monospace",
                "spellcheck": "false",
                "autocomplete": "off",
            }
        ),
    )
    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        # As they were sent, whatever line ends the browser makes of them.
        cleaned["text"] = cleaned.get("text", "").replace("\r\n", "\n")
        if file := cleaned.get("file"):
            try:
                cleaned["text"] = text_of_file(file).replace("\r\n", "\n")
                # Shown to be corrected: browsers do not send a file again.
                sent = cast("QueryDict", self.data).dict()
                self.data = {**sent, "text": cleaned["text"]}
            except Unreadable as error:
                self.add_error("file", error.problems[0].message)
        elif not cleaned["text"].strip():
            self.add_error("file", "Choose a file, or paste its text below.")
        elif len(cleaned["text"].encode()) > MAX_BYTES:
            self.add_error("text", "The text is larger than 1 MB. Divide it.")
        return cleaned


@dataclass(frozen=True, slots=True)
class Import:
    """What can be imported: its words, its columns, and how lines become a plan.

    ``columns`` has the meaning of each, "" for those that an export has and an import
    does not need. ``prefix`` begins the names of further ones.
    """

    title: str
    noun: str
    back: str
    template: str
    done: str
    columns: dict[str, str]
    plan: Callable[[ImportForm, list[Line]], Plan]
    prefix: str = ""
    prefix_means: str = ""


def import_page(
    request: TeamRequest, form_class: type[ImportForm], kind: Import
) -> HttpResponse:
    """Show what a file would do, and do it once it is confirmed: all of it or nothing.

    What is confirmed is the text itself, read again. If it would now do something else
    than was shown, that is shown instead.
    """
    step = request.POST.get("step", "")
    is_sent = step in {"check", "confirm"}
    form = form_class(request.POST, request.FILES) if is_sent else form_class()
    context: dict[str, Any] = {"form": form, "kind": kind, "plan": None}
    if step == "edit":
        kept = form.fields.keys() - {"file", "submission", "shown"}
        form.initial = {name: request.POST.get(name, "") for name in kept}
    if form.is_valid():
        if step == "confirm":
            with refusals_in(request, form), once(request, form) as submission:
                plan = _confirmed(form, kind)
                try:
                    plan.act()
                except IntegrityError as error:
                    raise _changed() from error
                message = kind.done.format(**plan.counts)
                return submission.done(team_url(request, kind.back), message)
        context["plan"] = plan = _plan(form, kind)
        context["entered"] = text = form.cleaned_data["text"]
        context["shown"] = plan.fingerprint(text)
        context["problems_shown"] = plan.problems[:PROBLEMS_SHOWN]
    context["back"] = team_url(request, kind.back)
    context["template_address"] = team_url(request, kind.template)
    return render_page(request, "licenses/import.html", context)


def _confirmed(form: ImportForm, kind: Import) -> Plan:
    plan = _plan(form, kind)
    shown = form.cleaned_data["shown"]
    if plan.problems or shown != plan.fingerprint(form.cleaned_data["text"]):
        raise _changed()
    return plan


def _changed() -> Conflict:
    return Conflict(
        "import_changed",
        "Something changed since you looked, and nothing was imported. This is what "
        "the file would do now.",
    )


def _plan(form: ImportForm, kind: Import) -> Plan:
    try:
        lines = read_csv(form.cleaned_data["text"], kind.columns, kind.prefix)
    except Unreadable as error:
        return Plan(problems=list(error.problems))
    plan = kind.plan(form, lines)
    plan.problems.sort(key=lambda problem: problem.line)
    return plan
