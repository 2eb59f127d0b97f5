from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Who last made a webhook's secret, as the audit log knows.
MAKERS_FROM_AUDIT_LOG = """
UPDATE alerts_webhook made SET created_by_id = (
    SELECT maker.id
    FROM audit_auditevent event LEFT JOIN teams_user maker
        ON maker.id = event.actor_id AND event.actor_kind = 'user'
    WHERE event.tag IN ('webhook:created', 'webhook:secret-replaced')
        AND event.subject_id = made.id
    ORDER BY event.created_at DESC, event.id DESC
    LIMIT 1
);
SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0002_delivery_is_claimed"),
        ("audit", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="webhook",
            name="created_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(MAKERS_FROM_AUDIT_LOG, migrations.RunSQL.noop),
    ]
