"""Signs license holders in: HTTP Basic (RFC 7617).

The password is the license ID or a pull credential.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, NoReturn

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from licenses.models import License, PullCredential
from licenses.selectors import held_license, pull_credentials_of_license
from licenses.services import is_use_noted, touch_pull_credential
from portal.crypto.secrets import Secret
from portal.errors import NotAllowed, TooMany
from portal.http.api.rate_limits import note_request
from portal.http.client_address import neighbourhood_of
from portal.limits.minute_counts import count, counted, seconds_left
from registries.decision.credentials import PresentedCredential
from registries.decision.facts import LicenseHolder
from registries.decision.pull import Denied, decide_login
from registries.decision.query import fetch_facts
from registries.decision.sentences import UNKNOWN_LICENSE
from registries.models.outcomes import Reason
from teams.actors import Actor, ActorKind, Origin, customer_actor

REQUESTS_PER_MINUTE = 60


@dataclass(frozen=True, slots=True)
class SignedInLicense:
    """The ``request.user`` of the views for license holders.

    They presented ``credential``, or else the license ID. ``actor`` acts for that
    license alone.
    """

    license: License
    presented: Secret
    credential: PullCredential | None
    actor: Actor
    is_authenticated: bool = True

    @property
    def secret(self) -> Secret:
        """Return what to go on with: the pull credential, or the current license ID.

        A replaced ID still lets its holder get the new one, but a pull credential never
        lets anybody get the ID, which would outlive it.
        """
        if self.credential is not None:
            return self.presented
        return Secret(self.license.license_id.reveal())


class LicenseAuthentication(BaseAuthentication):
    """Accepts any username. Refuses what a pull would be refused for, in its words."""

    def authenticate(self, request: Request) -> tuple[SignedInLicense, None] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        failures = f"license-failures:{neighbourhood_of(request)}"
        if counted(failures) > settings.BERTH_TOKEN_FAILURES_PER_MINUTE:
            _refuse_too_many(
                "too_many_failures", "Too many failed logins from your network."
            )
        presented = _password(text.strip())
        facts = fetch_facts(PresentedCredential("", presented))
        holder = facts.holder
        if not isinstance(holder, LicenseHolder):
            count(failures)
            raise AuthenticationFailed(UNKNOWN_LICENSE, Reason.CREDENTIAL_UNKNOWN.value)
        used = count(f"license-requests:{holder.id}")
        note_request(request, "license", quota=REQUESTS_PER_MINUTE, used=used)
        if used > REQUESTS_PER_MINUTE:
            _refuse_too_many(
                "too_many_requests", "Too many requests with this license."
            )
        login = decide_login(facts, request.META["BERTH_CLIENT_ADDRESS"] or "unknown")
        if isinstance(login, Denied):
            raise NotAllowed(login.reason.value, login.message)
        _note_use(request, holder)
        license = held_license(holder.team_id, holder.id)
        credential = None
        if holder.credential is not None:
            credential = pull_credentials_of_license(license).get(
                pk=holder.credential.id
            )
        actor = _actor(license, credential).at_origin(Origin.of(request))
        return SignedInLicense(license, presented, credential, actor), None

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="Berth"'


def _actor(license: License, credential: PullCredential | None) -> Actor:
    by = f"pull credential {credential.name}" if credential else "license ID"
    return customer_actor(
        kind=ActorKind.LICENSE,
        # Per secret: one must not be able to replay what another requested.
        id=credential.pk if credential else license.pk,
        label=f"{license} ({by})",
        team_id=license.team_id,
        customer_id=license.customer_id,
        license_id=license.pk,
    )


def _note_use(request: Request, holder: LicenseHolder) -> None:
    credential = holder.credential
    address = request.META["BERTH_CLIENT_ADDRESS"] or "unknown"
    if credential is not None and not is_use_noted(
        credential.id, credential.last_used_at, address
    ):
        touch_pull_credential(
            holder.team_id,
            credential.id,
            address,
            request.headers.get("User-Agent", ""),
        )


def _password(text: str) -> Secret:
    """Return the password of Basic credentials, or an empty one if malformed."""
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return Secret("")
    return Secret(decoded.partition(":")[2])


def _refuse_too_many(code: str, message: str) -> NoReturn:
    seconds = seconds_left()
    raise TooMany(code, f"{message} Try again in {seconds} seconds.", seconds)


class LicenseScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # a registering base class
    """Describes license IDs in the API schema."""

    target_class = "registries.api.license_authentication.LicenseAuthentication"
    name = "licenseId"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "basic",
            "description": (
                "Any username, and the license ID or a pull credential as the password"
            ),
        }
