from __future__ import annotations

from django.db import migrations

# Rows of two teams cannot be linked, whatever the code does.
FORWARD = """
ALTER TABLE teams_channel ADD CONSTRAINT teams_channel_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES teams_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE teams_apitoken ADD CONSTRAINT teams_apitoken_service_account_team
    FOREIGN KEY (team_id, service_account_id)
    REFERENCES teams_serviceaccount (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE teams_apitoken ADD CONSTRAINT teams_apitoken_created_with_team
    FOREIGN KEY (team_id, created_with_id)
    REFERENCES teams_apitoken (team_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
BACKWARD = """
ALTER TABLE teams_channel DROP CONSTRAINT teams_channel_application_team;
ALTER TABLE teams_apitoken DROP CONSTRAINT teams_apitoken_service_account_team;
ALTER TABLE teams_apitoken DROP CONSTRAINT teams_apitoken_created_with_team;
"""


class Migration(migrations.Migration):
    dependencies = [("teams", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
