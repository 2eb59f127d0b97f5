from __future__ import annotations

from django.db import migrations

# A license, its customer and its application cannot be of two teams, and its channel
# cannot be another application's, whatever the code does.
FORWARD = """
ALTER TABLE licenses_licensefield ADD CONSTRAINT licenses_licensefield_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES teams_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_license ADD CONSTRAINT licenses_license_customer_team
    FOREIGN KEY (team_id, customer_id)
    REFERENCES licenses_customer (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_license ADD CONSTRAINT licenses_license_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES teams_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE licenses_license ADD CONSTRAINT licenses_license_channel_application
    FOREIGN KEY (application_id, channel_id)
    REFERENCES teams_channel (application_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
BACKWARD = """
ALTER TABLE licenses_licensefield DROP CONSTRAINT licenses_licensefield_application_team;
ALTER TABLE licenses_license DROP CONSTRAINT licenses_license_customer_team;
ALTER TABLE licenses_license DROP CONSTRAINT licenses_license_application_team;
ALTER TABLE licenses_license DROP CONSTRAINT licenses_license_channel_application;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("licenses", "0001_initial"),
        ("teams", "0001_initial"),
    ]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
