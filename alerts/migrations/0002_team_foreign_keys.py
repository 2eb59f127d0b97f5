from __future__ import annotations

from django.db import migrations

# Rows of two teams cannot be linked, whatever the code does.
FORWARD = """
ALTER TABLE alerts_delivery ADD CONSTRAINT alerts_delivery_alert_team
    FOREIGN KEY (team_id, alert_id)
    REFERENCES alerts_alert (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE alerts_delivery ADD CONSTRAINT alerts_delivery_webhook_of_team
    FOREIGN KEY (team_id, webhook_id)
    REFERENCES alerts_webhook (team_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE alerts_subscription ADD CONSTRAINT alerts_subscription_member_team
    FOREIGN KEY (team_id, membership_id)
    REFERENCES teams_membership (team_id, id) DEFERRABLE INITIALLY DEFERRED;
"""
BACKWARD = """
ALTER TABLE alerts_delivery DROP CONSTRAINT alerts_delivery_alert_team;
ALTER TABLE alerts_delivery DROP CONSTRAINT alerts_delivery_webhook_of_team;
ALTER TABLE alerts_subscription DROP CONSTRAINT alerts_subscription_member_team;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0001_initial"),
        ("teams", "0006_membership_in_team"),
    ]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
