from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as ModelValidationError
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

ORDERING, TOTAL = "ordering", "total"
_KEY = "order_key"
PARAMETERS = frozenset({"cursor", "page_size", ORDERING, TOTAL})


class CursorPages(CursorPagination):
    """Pages of at most 100, newest first, that stay stable while rows are added.

    ``ordering`` chooses one of the view's ``orderings``, and with "-" its reverse. What
    is ordered by is never null: ``order_by`` of the view has the expression, where it
    is no column. ``total=true`` also counts the list.
    """

    ordering = ("-created_at", "-id")
    page_size = 50
    max_page_size = 100
    page_size_query_param = "page_size"
    page_size_query_description = "Number of results per page, at most 100."
    total: int | None = None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any] | None:
        if ordering := _ordering(request, view):
            queryset, self.ordering = _ordered(queryset, view, *ordering)
        else:
            self.ordering = getattr(view, "ordering", None) or self.ordering
        if _wants_total(request):
            self.total = queryset.order_by().count()
        try:
            return super().paginate_queryset(queryset, request, view)
        except NotFound as error:
            raise ValidationError(
                {"cursor": ["Not a cursor of this list. Start without one."]}
            ) from error
        except (ValueError, OverflowError, ModelValidationError) as error:
            raise ValidationError({"cursor": ["Not a cursor of this list."]}) from error

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        if self.total is not None:
            response.data[TOTAL] = self.total
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described = super().get_paginated_response_schema(schema)
        described["required"] = ["next", "previous", "results"]
        described["properties"][TOTAL] = {
            "type": "integer",
            "description": "Of all pages; only with `total=true`",
            "example": 123,
        }
        return described

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        choices = [text for name in _orderings(view) for text in (name, f"-{name}")]
        ordering = {
            "name": ORDERING,
            "in": "query",
            "required": False,
            "description": "Ascending, or with `-` descending",
            "schema": {"type": "string", "enum": choices},
        }
        total = {
            "name": TOTAL,
            "in": "query",
            "required": False,
            "description": "`true`: also count all pages, which takes longer",
            "schema": {"type": "boolean"},
        }
        parameters = super().get_schema_operation_parameters(view)
        return [*parameters, ordering, total]


def _ordering(request: Request, view: Any) -> tuple[str, str] | None:
    text = request.query_params.get(ORDERING)
    if text is None:
        return None
    if text.removeprefix("-") not in _orderings(view):
        known = ", ".join(_orderings(view))
        message = f"Send one of {known}, or one of them after a - for descending."
        raise ValidationError({ORDERING: [message]})
    return text, "-id" if text.startswith("-") else "id"


def _ordered(queryset: Any, view: Any, text: str, *more: str) -> tuple[Any, Any]:
    """Return the rows with what they are ordered by, and its name."""
    name = text.removeprefix("-")
    expressions = getattr(view, "order_by", {})
    if name not in expressions:
        return queryset, (text, *more)
    sign = "-" if text.startswith("-") else ""
    return queryset.annotate(**{_KEY: expressions[name]}), (f"{sign}{_KEY}", *more)


def _orderings(view: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(view, "orderings", ("created_at",))
    return names


def _wants_total(request: Request) -> bool:
    text = request.query_params.get(TOTAL, "false")
    if text not in {"true", "false"}:
        raise ValidationError({TOTAL: ["Send true or false."]})
    return text == "true"
