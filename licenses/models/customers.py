from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Lower

from teams.models import Changing, TeamOwned, notes_changes, validate_printable


class Customer(Changing, TeamOwned):
    """A buyer of the team's software, who holds licenses."""

    name = models.CharField(max_length=254, validators=[validate_printable])
    email = models.EmailField(max_length=254, blank=True)
    custom_id = models.CharField(
        max_length=254, blank=True, validators=[validate_printable]
    )
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Searches look here. Line ends keep a search text from matching across columns.
    search_text = models.GeneratedField(
        expression=Func(
            F("name"),
            F("email"),
            F("custom_id"),
            function="lower",
            arg_joiner=" || chr(10) || ",
        ),
        output_field=models.TextField(),
        db_persist=True,
    )

    class Meta:
        triggers = [notes_changes("search_text")]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "id"], name="licenses_customer_team"
            ),
            models.UniqueConstraint(
                fields=["team", "custom_id"],
                condition=~Q(custom_id=""),
                name="licenses_customer_custom_id",
                violation_error_message="Another customer has this custom ID.",
            ),
        ]
        indexes = [
            models.Index(
                fields=["team", "-created_at", "-id"], name="licenses_customer_page"
            ),
            models.Index(
                F("team"), Lower("name"), F("id"), name="licenses_customer_name"
            ),
            GinIndex(
                fields=["search_text"],
                opclasses=["gin_trgm_ops"],
                name="licenses_customer_search",
            ),
        ]

    def __str__(self) -> str:
        return self.name
