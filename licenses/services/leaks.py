"""Stops a secret that somebody has found where it should not be."""

from __future__ import annotations

from django.db import transaction

from audit.services import record
from audit.tags import EventTag
from licenses.alerts import alert_leaked_api_token, alert_leaked_id
from licenses.credential_alerts import alert_leaked_credential
from licenses.selectors import license_by_secret, pull_credential_by_secret
from licenses.services.credentials import stop_leaked_credential
from licenses.services.license_ids import stop_license_id
from portal.crypto.secrets import Secret
from teams.actors import Actor, Origin, system_actor
from teams.api_tokens import revoke_api_token
from teams.models import Team
from teams.selectors import api_token_by_secret

REPORTER = "Report of a leaked secret"


@transaction.atomic
def revoke_leaked(presented: Secret, origin: Origin) -> None:
    """Stop a secret at once, and tell its team and customer; ignore any other text.

    Knows pull credentials, license IDs, which are replaced, and API tokens.
    """
    if credential := pull_credential_by_secret(presented):
        actor = _reporter(credential.team, origin)
        if stopped := stop_leaked_credential(actor=actor, credential=credential):
            event = record(actor, EventTag.SECRET_LEAKED, credential)
            alert_leaked_credential(credential, stopped, event)
    elif license := license_by_secret(presented):
        actor = _reporter(license.team, origin)
        if stop_license_id(actor=actor, license=license, presented=presented):
            alert_leaked_id(license, record(actor, EventTag.SECRET_LEAKED, license))
    elif api_token := api_token_by_secret(presented):
        actor = _reporter(api_token.team, origin)
        revoke_api_token(actor=actor, api_token=api_token)
        event = record(actor, EventTag.SECRET_LEAKED, api_token)
        alert_leaked_api_token(api_token, event)


def _reporter(team: Team, origin: Origin) -> Actor:
    return system_actor(team, REPORTER).at_origin(origin)
