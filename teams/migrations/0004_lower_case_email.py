from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models.functions import Lower

import teams.models


def lower_addresses(apps: Any, schema_editor: Any) -> None:
    # No two become one: they were unique whatever their case.
    apps.get_model("teams", "User").objects.update(email=Lower("email"))


class Migration(migrations.Migration):
    dependencies = [("teams", "0003_portal")]

    operations = [
        migrations.RunPython(lower_addresses, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name="user",
            name="email",
            field=teams.models.LowerCaseEmailField(max_length=254, unique=True),
        ),
    ]
