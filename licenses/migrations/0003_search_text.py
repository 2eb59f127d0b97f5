from __future__ import annotations

from django.db import migrations, models
from django.db.models import F, Func, Value
from django.db.models.functions import Cast, Lower


class Migration(migrations.Migration):
    dependencies = [("licenses", "0002_team_foreign_keys")]

    operations = [
        migrations.AddField(
            "customer",
            "search_text",
            models.GeneratedField(
                expression=Func(
                    F("name"),
                    F("email"),
                    F("custom_id"),
                    function="lower",
                    arg_joiner=" || chr(10) || ",
                ),
                output_field=models.TextField(),
                db_persist=True,
            ),
        ),
        migrations.AddField(
            "license",
            "search_text",
            models.GeneratedField(
                expression=Lower(
                    Cast(
                        Func(
                            F("field_values"),
                            Value("$.*"),
                            function="jsonb_path_query_array",
                            output_field=models.JSONField(),
                        ),
                        models.TextField(),
                    )
                ),
                output_field=models.TextField(),
                db_persist=True,
            ),
        ),
    ]
