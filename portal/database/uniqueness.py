"""Rows are validated as they are saved, and a refusal names the row in the way."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model, Q, UniqueConstraint

from portal.errors import Taken


def save_valid(row: Model, *, update_fields: list[str] | None = None) -> None:
    """Validate and save a row.

    Its constraints are left to the database, which checks them all at once. Django
    would ask it about each before that, by some 20 statements.

    Raises:
        ValidationError: values are invalid.
        Taken: the values are valid, but another row has one that must be unique.
    """
    try:
        validate_values(row)
    except ValidationError:
        validate(row)  # says all that is wrong at once
        raise
    try:
        with transaction.atomic():
            row.save(update_fields=update_fields)
    except IntegrityError:
        validate(row)  # says which constraint
        raise


def validate_values(row: Model) -> None:
    """Validate a row by itself, without asking the database.

    Raises:
        ValidationError: values are invalid.
    """
    relations = {field.name for field in row._meta.fields if field.is_relation}
    row.clean_fields(exclude=relations)
    row.clean()


def validate(row: Model) -> None:
    """Validate a row without saving it; raises as :func:`save_valid`."""
    try:
        row.full_clean()
    except ValidationError as error:
        if (taken := _taken(row, error)) is not None:
            raise taken from error
        raise


def _taken(row: Model, error: ValidationError) -> Taken | None:
    """Return the conflict, unless something else is wrong too."""
    constraints = dict(_unique_constraints(row))
    found: dict[str, tuple[str, Q]] = {}
    for name, problems in error.error_dict.items():
        for problem in problems:
            message = problem.messages[0]
            if problem.code == "unique":
                found[name] = message, Q(**{name: getattr(row, name)})
            elif message in constraints:
                constraint = constraints[message]
                found[constraint.fields[-1]] = message, _others(row, constraint)
            else:
                return None
    name, (_, others) = next(iter(found.items()))
    return Taken(
        f"{name}_taken",
        {name: [message] for name, (message, _) in found.items()},
        _existing(row, others),
    )


def _unique_constraints(row: Model) -> Iterator[tuple[str, UniqueConstraint]]:
    """Yield constraints with a message for people, whose last field is at fault."""
    for constraint in row._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.fields:
            yield str(constraint.violation_error_message), constraint


def _others(row: Model, constraint: UniqueConstraint) -> Q:
    same = {name: getattr(row, name) for name in constraint.fields}
    return Q(**same) & (constraint.condition or Q())


def _existing(row: Any, others: Q) -> uuid.UUID | None:
    """Return the ID of the row in the way if it is the same team's."""
    # A row of another team must not be told apart from one that never existed.
    rows = type(row).objects.filter(others, team_id=row.team_id).exclude(pk=row.pk)
    existing: uuid.UUID | None = rows.values_list("pk", flat=True).first()
    return existing
