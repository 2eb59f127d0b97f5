"""Logins by workload token: which trusted identity one means."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from edge.http import Request
from edge.threads import FairThreads
from licenses.identities.workload_token import (
    WorkloadToken,
    WorkloadTokenInvalid,
    read_workload_token,
    shown,
)
from licenses.services.identities import (
    IdentityLogin,
    claim_reading,
    find_identity,
    needs_reading,
    read_issuer,
    store_reading,
)
from registries.decision.credentials import RefusedLogin, Subject, SubjectKind
from registries.models.outcomes import Reason

# Another process has begun to read the issuer's keys.
OTHERS_READ_SECONDS = 1.0
# Readings under way in this process.
MAX_READINGS = 20


@dataclass(frozen=True, slots=True)
class FoundIdentity:
    """The subject that a workload token logs in as, and when the token ends."""

    subject: Subject
    ends_at: datetime


class IdentityLogins:
    """Finds identities in threads, and reads the keys of their issuers when needed.

    An issuer that hangs delays only the tokens that name one of its unknown keys, by
    some seconds. Belongs to one event loop.
    """

    def __init__(self, threads: FairThreads) -> None:
        self._threads = threads
        self._readings: dict[str, asyncio.Task[None]] = {}

    async def find(
        self, text: str, applications: Collection[str], request: Request
    ) -> FoundIdentity | RefusedLogin:
        """Return the identity that a JWT means, for images of some applications.

        Raises:
            django.db.Error: the database does not answer.
            ShareExceeded: the address has too many logins under way.
        """
        try:
            token = read_workload_token(text, timezone.now())
        except WorkloadTokenInvalid as error:
            return RefusedLogin(Reason.IDENTITY_REFUSED.value, str(error))
        login = await self._look_up(token, applications, request)
        if login is None and await self._read_again(token, request):
            login = await self._look_up(token, applications, request)
        if login is None:
            return RefusedLogin(Reason.IDENTITY_REFUSED.value, _not_trusted(token))
        subject = Subject(SubjectKind.IDENTITY, login.identity.pk, login.workload)
        return FoundIdentity(subject, token.expires_at)

    async def _look_up(
        self, token: WorkloadToken, applications: Collection[str], request: Request
    ) -> IdentityLogin | None:
        address, client = request.address, request.header("user-agent")
        return await self._threads.call_for(
            request.neighbourhood,
            lambda: find_identity(token, applications, address, client),
        )

    async def _read_again(self, token: WorkloadToken, request: Request) -> bool:
        """Return whether the keys of the token's issuer may be others now."""
        if not await self._threads.call_for(
            request.neighbourhood, lambda: needs_reading(token)
        ):
            return False
        reading = self._readings.get(token.issuer)
        if reading is None:
            if len(self._readings) >= MAX_READINGS:
                return False
            reading = asyncio.create_task(self._read(token.issuer))
            self._readings[token.issuer] = reading
            reading.add_done_callback(lambda _: self._readings.pop(token.issuer))
        # Others may wait for it too.
        await asyncio.shield(reading)
        return True

    async def _read(self, issuer: str) -> None:
        if not await self._threads.call(lambda: claim_reading(issuer)):
            await asyncio.sleep(OTHERS_READ_SECONDS)
            return
        reading = await read_issuer(issuer)
        await self._threads.call(lambda: store_reading(issuer, reading))


def _not_trusted(token: WorkloadToken) -> str:
    # One sentence for all causes: a stranger must not learn whose tokens are trusted.
    audience = ", ".join(token.audiences) or "none"
    return (
        "No trusted identity accepts this token, or its issuer's keys cannot be read. "
        f"Its issuer is {shown(token.issuer)}, its subject {shown(token.subject)}, its "
        f"audience {shown(audience)}. Compare them with the trusted identities of your "
        "license."
    )
