"""Which part of the scopes that a login asks for its token grants."""

from __future__ import annotations

from django.conf import settings

from oci.reference import MalformedName, parse_repository
from oci.scope import Scope
from registries.decision.facts import Facts, ImageFacts
from registries.decision.image import VENDOR_ACTIONS, ImageAccess, decide_image
from registries.decision.proxied_name import WantedImage, parse_proxied_name
from registries.decision.pull import (
    Allowed,
    Decision,
    decide_pull,
    within_networks,
)

_NO_IMAGE = WantedImage("", None)


def wanted_image(service: str, scope: Scope) -> WantedImage:
    """Return what the facts have to say about a scope, which may name no image."""
    try:
        if service == settings.BERTH_PROXY_SERVICE:
            return parse_proxied_name(scope.name).wanted
        return ImageAccess(parse_repository(scope.name), "").wanted
    except MalformedName:
        return _NO_IMAGE


def granted(
    service: str, scopes: list[Scope], facts: Facts, address: str
) -> list[Scope]:
    """Return the part of each scope allowed from an address; no scope without one.

    Asking for too much is not an error (auth/token.md): the service that needs the rest
    says why it is missing. ``facts`` are about the images of the scopes, in order.
    """
    grants = []
    for scope, image in zip(scopes, facts.images, strict=True):
        actions = tuple(
            action
            for action in scope.actions
            if (decision := _decision(service, scope, action, facts, image))
            and isinstance(within_networks(decision, address), Allowed)
        )
        if actions:
            grants.append(Scope(scope.type, scope.name, actions))
    return grants


def _decision(
    service: str, scope: Scope, action: str, facts: Facts, image: ImageFacts
) -> Decision | None:
    """Return the decision about an action; None if there can be no such action."""
    if scope.type != "repository" or action not in VENDOR_ACTIONS:
        return None
    try:
        if service != settings.BERTH_PROXY_SERVICE:
            access = ImageAccess(parse_repository(scope.name), action)
            return decide_image(facts, image, access)
        name = parse_proxied_name(scope.name)
    except MalformedName:
        return None
    return decide_pull(facts, image, name) if action == "pull" else None
