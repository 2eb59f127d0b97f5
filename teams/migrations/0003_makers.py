from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# The audit log knows who made what is already there, and a token's maker made what the
# token created.
MAKERS_FROM_AUDIT_LOG = """
UPDATE teams_apitoken SET created_by_id = user_id WHERE user_id IS NOT NULL;
UPDATE teams_apitoken made SET created_by_id = event.actor_id
FROM audit_auditevent event JOIN teams_user maker ON maker.id = event.actor_id
WHERE event.tag = 'api-token:created' AND event.subject_id = made.id
    AND event.actor_kind = 'user' AND made.created_by_id IS NULL;
UPDATE teams_serviceaccount made SET created_by_id = event.actor_id
FROM audit_auditevent event JOIN teams_user maker ON maker.id = event.actor_id
WHERE event.tag = 'service-account:created' AND event.subject_id = made.id
    AND event.actor_kind = 'user';
WITH RECURSIVE chain (id, created_by_id) AS (
    SELECT id, created_by_id FROM teams_apitoken WHERE created_by_id IS NOT NULL
    UNION
    SELECT made.id, chain.created_by_id
    FROM teams_apitoken made JOIN chain ON made.created_with_id = chain.id
    WHERE made.created_by_id IS NULL
)
UPDATE teams_apitoken made SET created_by_id = chain.created_by_id
FROM chain WHERE chain.id = made.id AND made.created_by_id IS NULL;
SET CONSTRAINTS ALL IMMEDIATE;
"""
ADD_TEAM_KEY = """
ALTER TABLE teams_invitation ADD CONSTRAINT teams_invitation_sent_with_team
    FOREIGN KEY (team_id, sent_with_id)
    REFERENCES teams_apitoken (team_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
DROP_TEAM_KEY = """
ALTER TABLE teams_invitation DROP CONSTRAINT teams_invitation_sent_with_team;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("teams", "0002_sessions"),
        ("audit", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="created_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="sent_with",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="teams.apitoken",
            ),
        ),
        migrations.AddField(
            model_name="serviceaccount",
            name="created_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="invitation",
            name="invited_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunSQL(ADD_TEAM_KEY, DROP_TEAM_KEY),
        migrations.RunSQL(MAKERS_FROM_AUDIT_LOG, migrations.RunSQL.noop),
    ]
