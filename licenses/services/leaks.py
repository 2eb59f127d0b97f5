"""Stops a secret that somebody has found where it should not be."""

from __future__ import annotations

from django.db import transaction

from audit.services import record
from audit.tags import EventTag
from licenses.alerts import alert_leak
from licenses.selectors import license_by_secret, pull_credential_by_secret
from licenses.services.credentials import stop_leaked_credential
from licenses.services.license_ids import stop_license_id
from portal.crypto.secrets import Secret
from teams.actors import Actor, Origin, system_actor
from teams.api_tokens import revoke_api_token
from teams.models import Team, TeamOwned
from teams.selectors import api_token_by_secret

REPORTER = "Report of a leaked secret"


@transaction.atomic
def revoke_leaked(presented: Secret, origin: Origin) -> None:
    """Stop a secret at once and tell its team; do nothing for any other text.

    Knows pull credentials, license IDs, which are replaced, and API tokens.
    """
    if credential := pull_credential_by_secret(presented):
        actor = _reporter(credential.team, origin)
        if stop_leaked_credential(actor=actor, credential=credential):
            _tell(actor, credential, f"The pull credential {credential.name}")
    elif license := license_by_secret(presented):
        actor = _reporter(license.team, origin)
        if stop_license_id(actor=actor, license=license, presented=presented):
            _tell(
                actor,
                license,
                f"The license ID of {license}",
                "Check the pull credentials that it may have made.",
            )
    elif api_token := api_token_by_secret(presented):
        actor = _reporter(api_token.team, origin)
        revoke_api_token(actor=actor, api_token=api_token)
        _tell(actor, api_token, f"The API token {api_token.name}")


def _reporter(team: Team, origin: Origin) -> Actor:
    return system_actor(team, REPORTER).at_origin(origin)


def _tell(actor: Actor, subject: TeamOwned, what: str, advice: str = "") -> None:
    event = record(actor, EventTag.SECRET_LEAKED, subject)
    alert_leak(
        subject,
        key=str(event.pk),
        message=f"{what} was reported as leaked, and was stopped. {advice}".rstrip(),
    )
