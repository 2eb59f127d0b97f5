from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import AddIndexConcurrently, TrigramExtension
from django.db import migrations
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    # Events are written while the indexes are built.
    atomic = False
    dependencies = [("audit", "0001_initial")]

    operations = [
        TrigramExtension(),
        AddIndexConcurrently(
            "auditevent",
            GinIndex(
                OpClass(Upper("actor_label"), name="gin_trgm_ops"),
                name="audit_event_actor_search",
            ),
        ),
        AddIndexConcurrently(
            "auditevent",
            GinIndex(
                OpClass(Upper("subject_label"), name="gin_trgm_ops"),
                name="audit_event_subject_search",
            ),
        ),
    ]
