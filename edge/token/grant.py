"""How much of what a client asks for it gets: requested ∩ allowed.

Asking for more than is allowed is never an error (auth/token.md): the rest is just
not in the token, and the service that needs it says why.
"""

from __future__ import annotations

from django.conf import settings

from oci.reference import MalformedName, parse_repository
from oci.scope import Scope
from registries.decision.credentials import Holder, LicenseHolder
from registries.decision.proxied_name import parse_proxied_name
from registries.decision.pull import (
    PRIVATE_REGISTRY,
    Allowed,
    allowed_vendor_actions,
    authorize_pull,
)


def grant(service: str, scopes: list[Scope], holder: Holder | None) -> list[Scope]:
    """Return the allowed part of each scope; scopes with nothing left are left out.

    Asks the database, so it is called from a thread.
    """
    if holder is None:
        return []
    granted = []
    for scope in scopes:
        allowed = _allowed_actions(service, scope, holder)
        actions = tuple(action for action in scope.actions if action in allowed)
        if actions:
            granted.append(Scope(scope.type, scope.name, actions))
    return granted


def _allowed_actions(service: str, scope: Scope, holder: Holder) -> frozenset[str]:
    if scope.type != "repository" or not scope.actions:
        return frozenset()
    try:
        if service == settings.BERTH_PROXY_SERVICE:
            return _proxy_actions(scope.name, holder)
        return _private_registry_actions(parse_repository(scope.name), holder)
    except MalformedName:
        return frozenset()


def _proxy_actions(name: str, holder: Holder) -> frozenset[str]:
    proxied = parse_proxied_name(name)
    decision = authorize_pull(
        holder, proxied.application, proxied.upstream, proxied.repository
    )
    return frozenset({"pull"}) if isinstance(decision, Allowed) else frozenset()


def _private_registry_actions(name: str, holder: Holder) -> frozenset[str]:
    application, _, image = name.partition("/")
    if not image:
        return frozenset()
    if not isinstance(holder, LicenseHolder):
        return allowed_vendor_actions(holder, application)
    decision = authorize_pull(holder, application, PRIVATE_REGISTRY, image)
    return frozenset({"pull"}) if isinstance(decision, Allowed) else frozenset()
