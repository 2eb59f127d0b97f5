"""All checks of an installation, in the order in which one would correct them."""

from __future__ import annotations

import asyncio

from portal.doctor import clients, keys, private_registry, servers
from portal.doctor.asking import LIMITS
from portal.doctor.findings import Finding
from portal.outbound import outbound_session

_HERE = (
    servers.host_settings,
    servers.database,
    servers.clock,
    servers.redis,
    keys.encryption_keys,
    keys.hmac_keys,
    keys.signing_key,
    keys.license_root,
)
_OUTSIDE = (
    clients.portal,
    clients.realm,
    clients.nginx,
    private_registry.behind,
    private_registry.in_front,
    private_registry.beside,
)


def examine() -> list[Finding]:
    """Run all checks, each of which gives up in time."""
    return [*(check() for check in _HERE), *asyncio.run(_examine_from_outside())]


async def _examine_from_outside() -> list[Finding]:
    # The operator has configured these addresses, so the address guard is not for them.
    async with outbound_session(LIMITS, guarded=False) as session:
        return list(await asyncio.gather(*(check(session) for check in _OUTSIDE)))
