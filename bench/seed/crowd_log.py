"""What many changes leave behind: audit events, and alerts for people and programs."""

from __future__ import annotations

from django.db import connection

from alerts.models import Alert
from audit.models import AuditEvent
from bench.seed.bulk import foreign_keys_checked_at_once
from teams.models import Team

_ISSUED = """
INSERT INTO audit_auditevent (
    id, team_id, tag, actor_kind, actor_label, subject_kind, subject_id, subject_label,
    data, address, request_id, created_at
)
SELECT gen_random_uuid(), license.team_id, 'license:issued', 'user',
       (ARRAY['maya@bench.example', 'jonas@bench.example', 'billing-sync'])
           [1 + floor(random() * 3)],
       'licenses.license', license.id, customer.name || ': ' || application.slug,
       jsonb_build_object('type', license.type, 'expires_at', license.expires_at),
       '198.51.100.7', 'bench', license.created_at
FROM licenses_license AS license
JOIN licenses_customer AS customer ON customer.id = license.customer_id
JOIN licenses_application AS application ON application.id = license.application_id
WHERE license.team_id = %(team)s AND customer.custom_id LIKE 'crm-%%'
"""
_ADDED = """
INSERT INTO audit_auditevent (
    id, team_id, tag, actor_kind, actor_label, subject_kind, subject_id, subject_label,
    data, address, request_id, created_at
)
SELECT gen_random_uuid(), team_id, 'customer:created', 'user', 'maya@bench.example',
       'licenses.customer', id, name, '{}', '198.51.100.7', 'bench', created_at
FROM licenses_customer WHERE team_id = %(team)s AND custom_id LIKE 'crm-%%'
"""
# One license in five has expired at some time; programs are told of every license.
_ALERTS = """
INSERT INTO alerts_alert (
    id, team_id, created_at, event, key, subject_id, subject_label, message, data,
    is_for_programs, dispatched_at, acknowledged_by
)
SELECT gen_random_uuid(), license.team_id, license.created_at, told.event,
       told.event || ':' || license.id, license.id, customer.name,
       'The license of ' || customer.name || ' needs attention.', '{}',
       told.is_for_programs, license.created_at, ''
FROM licenses_license AS license
JOIN licenses_customer AS customer ON customer.id = license.customer_id
CROSS JOIN (VALUES ('license.expired', false, 0.2), ('license.issued', true, 1.0))
     AS told (event, is_for_programs, share)
WHERE license.team_id = %(team)s AND customer.custom_id LIKE 'crm-%%'
  AND random() < told.share
"""


def seed_log(team: Team) -> None:
    """Add two audit events for each customer, and alerts."""
    with connection.cursor() as cursor:
        for model, statement in (
            (AuditEvent, _ISSUED),
            (AuditEvent, _ADDED),
            (Alert, _ALERTS),
        ):
            with foreign_keys_checked_at_once(model):
                cursor.execute(statement, {"team": team.pk})
