from __future__ import annotations

from django.db import migrations

# Rows of two teams cannot be linked, whatever the code does.
FORWARD = """
ALTER TABLE registries_registryshare ADD CONSTRAINT registries_share_registry_team
    FOREIGN KEY (team_id, registry_id)
    REFERENCES registries_externalregistry (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registries_registryshare ADD CONSTRAINT registries_share_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES teams_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registries_credential ADD CONSTRAINT registries_credential_registry_team
    FOREIGN KEY (team_id, registry_id)
    REFERENCES registries_externalregistry (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registries_credentialcheck ADD CONSTRAINT registries_check_registry_team
    FOREIGN KEY (team_id, registry_id)
    REFERENCES registries_externalregistry (team_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
BACKWARD = """
ALTER TABLE registries_registryshare DROP CONSTRAINT registries_share_registry_team;
ALTER TABLE registries_registryshare DROP CONSTRAINT registries_share_application_team;
ALTER TABLE registries_credential DROP CONSTRAINT registries_credential_registry_team;
ALTER TABLE registries_credentialcheck DROP CONSTRAINT registries_check_registry_team;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("registries", "0001_initial"),
        ("teams", "0001_initial"),
    ]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
