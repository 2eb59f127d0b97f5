from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently, TrigramExtension
from django.db import migrations


class Migration(migrations.Migration):
    # Customers are added and licenses issued while the indexes are built.
    atomic = False
    dependencies = [("licenses", "0003_search_text")]

    operations = [
        TrigramExtension(),
        AddIndexConcurrently(
            "customer",
            GinIndex(
                fields=["search_text"],
                opclasses=["gin_trgm_ops"],
                name="licenses_customer_search",
            ),
        ),
        AddIndexConcurrently(
            "license",
            GinIndex(
                fields=["search_text"],
                opclasses=["gin_trgm_ops"],
                name="licenses_license_search",
            ),
        ),
    ]
