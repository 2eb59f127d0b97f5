from __future__ import annotations

from django.db import migrations

# Rows of two teams cannot be linked, nor a tag to another repository's manifest.
FORWARD = """
ALTER TABLE registries_imagerepository
    ADD CONSTRAINT registries_imagerepository_application_team
    FOREIGN KEY (team_id, application_id)
    REFERENCES teams_application (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registries_imagemanifest
    ADD CONSTRAINT registries_imagemanifest_repository_team
    FOREIGN KEY (team_id, repository_id)
    REFERENCES registries_imagerepository (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registries_imagetag
    ADD CONSTRAINT registries_imagetag_manifest_team
    FOREIGN KEY (team_id, repository_id, manifest_id)
    REFERENCES registries_imagemanifest (team_id, repository_id, id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE registries_imageblob
    ADD CONSTRAINT registries_imageblob_manifest_team
    FOREIGN KEY (team_id, repository_id, manifest_id)
    REFERENCES registries_imagemanifest (team_id, repository_id, id)
    DEFERRABLE INITIALLY DEFERRED;
"""
BACKWARD = """
ALTER TABLE registries_imageblob DROP CONSTRAINT registries_imageblob_manifest_team;
ALTER TABLE registries_imagetag DROP CONSTRAINT registries_imagetag_manifest_team;
ALTER TABLE registries_imagemanifest
    DROP CONSTRAINT registries_imagemanifest_repository_team;
ALTER TABLE registries_imagerepository
    DROP CONSTRAINT registries_imagerepository_application_team;
"""


class Migration(migrations.Migration):
    dependencies = [("registries", "0007_private_registry_images")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
