from __future__ import annotations

import pgtrigger
from django.db import models
from django.utils import timezone


class Changing(models.Model):
    """A row that says when it was last changed.

    The database notes it, whichever way the row is changed. Each model has the trigger
    of :func:`notes_changes`.
    """

    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True


def notes_changes(*uncounted: str) -> pgtrigger.Trigger:
    """Return the trigger that sets ``updated_at`` when another column changes.

    ``uncounted`` are columns whose changes nobody made, such as when it was last used;
    generated ones, which PostgreSQL computes later; and encrypted ones, which cannot be
    compared: something beside each of them has to change with it.
    """
    return pgtrigger.Trigger(
        name="notes_changes",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        condition=pgtrigger.AnyChange(exclude=["updated_at", *uncounted]),
        # Not now(), which is when the transaction began: a change that waited for
        # another one is later.
        func="NEW.updated_at = clock_timestamp(); RETURN NEW;",
    )
