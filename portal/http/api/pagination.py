from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination


class CursorPages(CursorPagination):
    """Pages of at most 100, newest first, that stay stable while rows are added."""

    ordering = ("-created_at", "-id")
    page_size = 50
    max_page_size = 100
    page_size_query_param = "page_size"
    page_size_query_description = "Number of results per page, at most 100."

    def paginate_queryset(
        self, queryset: Any, request: Any, view: Any = None
    ) -> list[Any] | None:
        self.ordering = getattr(view, "ordering", None) or self.ordering
        try:
            return super().paginate_queryset(queryset, request, view)
        except NotFound as error:
            raise ValidationError(
                {"cursor": ["Not a cursor of this list. Start without one."]}
            ) from error
        except (ValueError, OverflowError) as error:
            raise ValidationError({"cursor": ["Not a cursor of this list."]}) from error
