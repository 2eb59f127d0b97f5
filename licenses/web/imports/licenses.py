"""Import of licenses: each line issues one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from licenses.models import Application, Channel, Customer, License, LicenseField
from licenses.selectors import (
    applications_for_team,
    channels_of_applications,
    licenses_for_team,
)
from licenses.services.licenses import draft_license
from licenses.services.many import create_customers, issue_licenses
from licenses.web.imports.holders import Holders
from licenses.web.imports.pages import Effect, Import, ImportForm, Plan, import_page
from licenses.web.license_forms import AT, NEVER, TermsForm, field_values, value_name
from portal.errors import Invalid, PortalError
from portal.http.display.times import exact
from portal.http.values import parse_id
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page
from teams.web.lists.export import csv_template
from teams.web.lists.reading import Line, Problem

TYPES = ", ".join(License.Type.values)
COLUMNS = {
    "customer": "The customer's name.",
    "email": "The customer's e-mail address.",
    "custom_id": "Your own ID for the customer. Finds it before address and name.",
    "application": "Its slug, or its name.",
    "channel": "Its slug or name. Empty: the application's default channel.",
    "type": f"One of {TYPES}.",
    "expires": "Such as 2031-12-31, which is the end of that day in your team's time "
    "zone, or 2031-12-31T18:00:00Z. Empty: never.",
    "id": "Berth's ID, in a downloaded file. That license stays as it is.",
    "customer_id": "Berth's ID of the customer, in a downloaded file.",
    **dict.fromkeys(("state", "issued"), ""),
}
PREFIX = "field:"
FIELD_MEANS = "The value of the license field with this name. Empty: its default."
_CONTROLS = {"channel": "channel", "type": "type", "expires_at": "expires"}
_BOOLEANS = {"yes": "true", "true": "true", "no": "false", "false": "false"}


class LicenseImportForm(ImportForm):
    adds_customers = forms.BooleanField(
        label="Add customers that do not exist yet", required=False
    )


class _NoCustomersForm(ImportForm):
    """For who may not add customers."""


@team_page(Permission.LICENSE_ISSUE)
def import_licenses(request: TeamRequest) -> HttpResponse:
    """Import licenses: issue one for each line."""

    def plan(form: ImportForm, lines: list[Line]) -> Plan:
        adds = form.cleaned_data.get("adds_customers", False)
        return _LicensePlan(request, lines, adds_customers=adds).made()

    may_add = request.actor.may(Permission.CUSTOMER_MANAGE)
    return import_page(
        request,
        LicenseImportForm if may_add else _NoCustomersForm,
        Import(
            title="Import licenses",
            noun="license",
            back="licenses",
            template="licenses-import-template",
            done="Licenses issued: {add}. No mail was sent: to hand one over, open it "
            "and choose Send to customer.",
            columns=COLUMNS,
            plan=plan,
            prefix=PREFIX,
            prefix_means=FIELD_MEANS,
        ),
    )


@require_safe
@team_page(Permission.LICENSE_ISSUE)
def licenses_template(request: TeamRequest) -> HttpResponse:
    """Send an empty file with the columns of an import, those of all fields too."""
    fields = LicenseField.objects.for_team(request.team.pk).order_by("name")
    names = fields.values_list("name", flat=True).distinct()
    columns = ("customer", "email", "custom_id", "application", "channel")
    own = [f"{PREFIX}{name}" for name in names]
    return csv_template([*columns, "type", "expires", *own], "licenses")


class _Terms:
    """An application with its form for terms, which reads one line after the other."""

    def __init__(self, application: Application, channels: Sequence[Channel]) -> None:
        fields = LicenseField.objects.for_team(application.team_id)
        self.application = application
        self.channels = {row.name: row for row in channels} | {
            row.slug: row for row in channels
        }
        self.fields = list(fields.filter(application=application).order_by("name"))
        self._form = TermsForm({}, channels=channels, license_fields=self.fields)

    def read(self, data: Mapping[str, str]) -> TermsForm:
        """Return the form, validated with the data of one line."""
        self._form.data = dict(data)
        self._form.full_clean()
        return self._form


class _LicensePlan:
    """Finds which license each line issues."""

    def __init__(
        self, request: TeamRequest, lines: list[Line], *, adds_customers: bool
    ) -> None:
        self._actor = request.actor
        self._lines = lines
        self._plan = Plan()
        self._licenses: list[License] = []
        self._holders = Holders(request.actor, lines, adds=adds_customers)
        self._applications = _applications(request.team.pk)
        self._terms: dict[Application, _Terms] = {}
        ids = [pk for line in lines if (pk := parse_id(line["id"].strip()))]
        existing = licenses_for_team(request.team.pk).filter(pk__in=ids)
        self._existing = {str(row.pk): row for row in existing}

    def made(self) -> Plan:
        """Return the plan of all lines."""
        for line in self._lines:
            self._read(line)
        self._plan.act = self._act
        return self._plan

    def _act(self) -> None:
        if self._holders.new:
            create_customers(actor=self._actor, customers=self._holders.new)
        issue_licenses(
            actor=self._actor, licenses=self._licenses, tells_customers=False
        )

    def _read(self, line: Line) -> None:
        if (existing := self._existing.get(line["id"].strip().lower())) is not None:
            name = f"{existing.customer.name}: {existing.application.name}"
            self._plan.effects.append(Effect(line.number, name, "keep"))
            return
        before = len(self._plan.problems)
        customer, problem = self._holders.of(line)
        if problem:
            self._report(line, *problem)
        terms = self._terms_of(line)
        if terms is None:
            return
        form = self._form(line, terms)
        if customer is None or form is None:
            return
        if len(self._plan.problems) == before:
            self._plan_license(line, customer, terms, form.cleaned_data)

    def _plan_license(
        self, line: Line, customer: Customer, terms: _Terms, cleaned: dict[str, Any]
    ) -> None:
        try:
            license = draft_license(
                actor=self._actor,
                customer=customer,
                application=terms.application,
                channel=cleaned["channel"],
                type=cleaned["type"],
                expires_at=cleaned["expires_at"],
                field_values=field_values(cleaned, terms.fields),
                known_fields=terms.fields,
            )
        except Invalid as error:
            messages = [text for texts in error.fields.values() for text in texts]
            self._report(line, "", *messages)
            return
        except ValidationError as error:
            self._report(line, "", *error.messages)
            return
        except PortalError as error:
            self._report(line, "customer", error.message)
            return
        self._licenses.append(license)
        self._plan.effects.append(_effect(line, license, self._holders))

    def _terms_of(self, line: Line) -> _Terms | None:
        text = line["application"].strip()
        found = [row for row in self._applications if row[0].slug == text] or [
            row for row in self._applications if text and row[0].name == text
        ]
        if not text:
            self._report(line, "application", "Enter an application.")
        elif not found:
            message = "Your team has no application with this slug or name."
            self._report(line, "application", message)
        elif len(found) > 1:
            message = "Several applications have this name. Enter the slug."
            self._report(line, "application", message)
        else:
            [(application, channels)] = found
            if application not in self._terms:
                self._terms[application] = _Terms(application, channels)
            return self._terms[application]
        return None

    def _form(self, line: Line, terms: _Terms) -> TermsForm | None:
        """Return the valid form of a line, or None after reporting what is wrong."""
        before = len(self._plan.problems)
        data = {**self._own_terms(line, terms), **self._values(line, terms)}
        form = terms.read(data)
        controls = _CONTROLS | {
            value_name(field): f"{PREFIX}{field.name}" for field in terms.fields
        }
        is_reported = {problem.column for problem in self._plan.problems[before:]}
        for control, errors in form.errors.items():
            column = controls.get(control, "expires" if control == "expiry" else "")
            if column not in is_reported:
                self._report(line, column, *errors)
        expires_at = form.cleaned_data.get("expires_at")
        if expires_at is not None and expires_at <= timezone.now():
            self._report(line, "expires", "Choose a time in the future.")
        return form if len(self._plan.problems) == before else None

    def _own_terms(self, line: Line, terms: _Terms) -> dict[str, str]:
        wanted, type = line["channel"].strip(), line["type"].strip().lower()
        channel = terms.channels.get(wanted)
        if wanted and channel is None:
            slug = terms.application.slug
            self._report(line, "channel", f"{slug} has no such channel.")
        if type not in License.Type.values:
            self._report(line, "type", f"Enter one of {TYPES}.")
        if channel is None:
            channel = next(row for row in terms.channels.values() if row.is_default)
        expires = line["expires"].strip()
        return {
            "channel": str(channel.pk),
            "type": type,
            "expiry": AT if expires else NEVER,
            "expires_at": f"{expires} 23:59:59" if _is_day(expires) else expires,
        }

    def _values(self, line: Line, terms: _Terms) -> dict[str, str]:
        """Return what a line has for the controls of license fields."""
        data = {}
        for field in terms.fields:
            text = line[f"{PREFIX}{field.name}"]
            if not text:
                text = "" if field.default is None else str(field.default)
            if field.type == LicenseField.Type.BOOLEAN and text:
                if text.strip().lower() not in _BOOLEANS:
                    self._report(line, f"{PREFIX}{field.name}", "Enter yes or no.")
                text = _BOOLEANS.get(text.strip().lower(), "")
            data[value_name(field)] = text
        known = {f"{PREFIX}{field.name}" for field in terms.fields}
        for column, text in line.cells.items():
            if column.startswith(PREFIX) and column not in known and text:
                slug = terms.application.slug
                self._report(line, column, f"{slug} has no such license field.")
        return data

    def _report(self, line: Line, column: str, *messages: str) -> None:
        self._plan.problems.extend(
            Problem(line.number, column, message) for message in messages
        )


def _applications(team_id: uuid.UUID) -> list[tuple[Application, list[Channel]]]:
    """Return the team's applications with their channels."""
    current = applications_for_team(team_id).values_list("pk", flat=True)
    channels = channels_of_applications(team_id, current)
    grouped = groupby(channels, key=attrgetter("application"))
    return [(application, list(own)) for application, own in grouped]


def _is_day(text: str) -> bool:
    try:
        return parse_date(text) is not None
    except ValueError:
        return False


def _effect(line: Line, license: License, holders: Holders) -> Effect:
    expires_at = license.expires_at
    return Effect(
        line.number,
        f"{license.customer.name}: {license.application.name}",
        "add",
        [
            *(["A new customer"] if holders.is_new(license.customer) else []),
            license.channel.name,
            str(License.Type(license.type).label),
            f"Expires {exact(expires_at)}" if expires_at else "Never expires",
        ],
    )
