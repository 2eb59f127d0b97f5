"""Which calls of the API show something that no other call shows.

schemathesis tries every wrong type of every parameter of every operation, both alone
and beside all other parameters. Lists share their filters, so most of these calls
repeat one another.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import CoverageScenario, TestPhase

_CONTENT_TYPES = {
    CoverageScenario.MALFORMED_CONTENT_TYPE,
    CoverageScenario.UNSUPPORTED_CONTENT_TYPE,
}
_UNKNOWN = CoverageScenario.OBJECT_UNEXPECTED_PROPERTIES
# The types that a text can wrongly have.
_WRONG_TYPES = 5


class NewCases:
    """Selects the calls to make, for ``filter_case`` of a schema.

    Every parameter of every operation keeps one valid and one invalid value, and all
    kinds of values are tried once for parameters that are defined alike. Every property
    of a body keeps every boundary and two wrong types, which differ from body to body.
    All operations answer a wrong method or content type alike, so it is tried once.
    Random calls are all made.
    """

    def __init__(self) -> None:
        self._seen: set[tuple[Any, ...]] = set()
        self._counts: Counter[tuple[Any, ...]] = Counter()

    def __call__(self, case: Any) -> bool:
        """Return whether a call tries something new."""
        if is_random(case):
            return True
        tried = set(self._tried(case))
        is_new = not tried <= self._seen
        self._seen |= tried
        return is_new

    def _tried(self, case: Any) -> Iterator[tuple[Any, ...]]:
        operation, data = case.operation, case.meta.phase.data
        scenario, mode = data.scenario, case.meta.generation.mode
        location = data.parameter_location
        if "Near-boundary" in data.description:
            return  # the boundary itself is tried
        if scenario is _UNKNOWN and location is ParameterLocation.HEADER:
            return  # clients and proxies send other headers with every request
        if scenario in _CONTENT_TYPES:
            if operation.body:  # no other request is read
                yield operation.method, scenario
        elif scenario is CoverageScenario.UNSPECIFIED_HTTP_METHOD:
            yield scenario, data.description
        elif (definition := _definition(case)) is not None:
            is_one_of_many = scenario is CoverageScenario.ENUM_VALUE
            value = None if is_one_of_many else _value(case)
            yield data.parameter, definition, scenario, value
            yield operation.label, location, data.parameter, mode
        else:
            # "All required and 5 optional properties" is like 4 or 6.
            description = re.sub(r"\d+", "", data.description)
            is_header = location is ParameterLocation.HEADER
            where = "headers" if is_header else operation.label
            what = (where, location, scenario, description)
            yield what
            if scenario is CoverageScenario.INCORRECT_TYPE:
                yield from self._another_type(what)

    def _another_type(self, what: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        """Select one of the wrong types after the first: each time the next."""
        number = self._counts[what]
        self._counts[what] += 1
        if number == 0:
            self._counts["bodies",] += 1
        elif number == 1 + self._counts["bodies",] % (_WRONG_TYPES - 1):
            yield *what, number


def is_random(case: Any) -> bool:
    """Return whether a call is made up, and not a boundary of the schema."""
    return case.meta.phase.name is not TestPhase.COVERAGE


def let_it_be_read(case: Any, ids: Mapping[str, Any]) -> None:
    """Change what a call is not about, so that its request is read to the end.

    It is for objects that exist, or did before the calls before. It needs no version of
    them, and repeats no other call.
    """
    about = None if is_random(case) else case.meta.phase.data.parameter_location
    if about is not ParameterLocation.PATH:
        for name in case.path_parameters:
            case.path_parameters[name] = ids[name]
    if about is not ParameterLocation.HEADER:
        case.headers.pop("Idempotency-Key", None)
        if "If-Match" in case.headers:
            case.headers["If-Match"] = "*"


def _definition(case: Any) -> str | None:
    """Return how the schema defines the parameter that a call is about, if one."""
    operation, name = case.operation, case.meta.phase.data.parameter
    if case.meta.phase.data.parameter_location is ParameterLocation.BODY:
        return None
    parameters = (*operation.query, *operation.headers, *operation.path_parameters)
    found = (item.definition for item in parameters if item.name == name)
    definition = next(found, None)
    return definition and json.dumps(definition, sort_keys=True, default=str)


def _value(case: Any) -> str:
    name = case.meta.phase.data.parameter
    for values in (case.query, case.headers, case.path_parameters):
        if values and name in values:
            return str(values[name])
    return ""
