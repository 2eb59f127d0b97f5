"""Every sentence of a denied pull, push, deletion or login."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from registries.decision.facts import Candidate
from registries.decision.steps import Refusal
from registries.models.outcomes import Reason
from teams.actors import ActorKind

LICENSE_LOGIN = (
    "Log in with any username and your license ID or a pull credential as the password."
)
UNKNOWN_LICENSE = f"No known license came with this request. {LICENSE_LOGIN}"
UNKNOWN_LOGIN = (
    "No known login came with this request. Log in with your e-mail address and a user "
    "token, or your password if you have no second factor; or with any username and a "
    "service account or team token. Customers log in with any username and their "
    "license ID or a pull credential as the password."
)


def credential_unknown(*, is_private: bool) -> Refusal:
    message = UNKNOWN_LOGIN if is_private else UNKNOWN_LICENSE
    return Refusal("credential", Reason.CREDENTIAL_UNKNOWN, message)


def second_factor_required() -> Refusal:
    return Refusal(
        "credential",
        Reason.SECOND_FACTOR_REQUIRED,
        "Your account has a second factor, so a password alone does not log in here. "
        "Create a user token under API tokens in the portal, and use it as the "
        "password.",
    )


def credential_revoked(at: datetime, name: str) -> Refusal:
    return Refusal(
        "credential",
        Reason.CREDENTIAL_REVOKED,
        f"This pull credential was revoked on {at:%Y-%m-%d}. Log in with another one "
        "of your license.",
        detail=f"{name} was revoked at {at.isoformat()}.",
    )


def credential_expired(at: datetime, name: str) -> Refusal:
    return Refusal(
        "credential",
        Reason.CREDENTIAL_EXPIRED,
        f"This pull credential expired on {at:%Y-%m-%d %H:%M} UTC. Log in with the one "
        "that replaced it, or another one of your license.",
        detail=f"{name} expired at {at.isoformat()}.",
    )


def identity_removed(at: datetime, label: str) -> Refusal:
    return Refusal(
        "credential",
        Reason.IDENTITY_REMOVED,
        f"This trusted identity was removed on {at:%Y-%m-%d}. Have it added again, or "
        "log in with a pull credential of your license.",
        detail=f"{label} was removed at {at.isoformat()}.",
    )


def license_id_replaced(at: datetime) -> Refusal:
    return Refusal(
        "credential",
        Reason.CREDENTIAL_EXPIRED,
        f"This license ID was replaced, and ended on {at:%Y-%m-%d %H:%M} UTC. Log in "
        "with the one in your current license file.",
        detail=f"The license's ID was replaced, and ended at {at.isoformat()}.",
    )


def network_not_allowed(address: str, name: str, networks: Collection[str]) -> Refusal:
    return Refusal(
        "network",
        Reason.NETWORK_NOT_ALLOWED,
        f"This pull credential is not allowed from your address, {address}. Log in "
        "with another one of your license, or have the network added.",
        detail=f"{name} is allowed from {', '.join(networks)}, not from {address}.",
    )


def application_not_licensed(application_slug: str, detail: str = "") -> Refusal:
    return Refusal(
        "application",
        Reason.APPLICATION_MISMATCH,
        f"This license does not include the application {application_slug!r}. "
        "Check the image name.",
        detail=detail,
    )


def application_not_in_login(application_slug: str, detail: str) -> Refusal:
    """Return the same message whether another team has the application or none."""
    return Refusal(
        "application",
        Reason.APPLICATION_MISMATCH,
        f"This login does not include the application {application_slug!r}. Check the "
        "image name; the slugs of your applications are on the portal's Images page.",
        detail=detail,
    )


def license_revoked(at: datetime, revoke_reason: str) -> Refusal:
    return Refusal(
        "license",
        Reason.LICENSE_REVOKED,
        f"This license was revoked on {at:%Y-%m-%d}. Contact your vendor.",
        detail=f"Revoked at {at.isoformat()}: {revoke_reason}",
    )


def license_expired(at: datetime) -> Refusal:
    return Refusal(
        "license",
        Reason.LICENSE_EXPIRED,
        f"This license expired on {at:%Y-%m-%d %H:%M} UTC. "
        "Contact your vendor to renew it.",
    )


def customer_archived() -> Refusal:
    return Refusal(
        "license",
        Reason.CUSTOMER_ARCHIVED,
        "This license belongs to an archived customer. Contact your vendor.",
    )


def registry_not_connected(application_slug: str, upstream: str) -> Refusal:
    return Refusal(
        "registry",
        Reason.REGISTRY_NOT_CONNECTED,
        _not_available(application_slug, upstream),
        detail=f"No connected registry has the slug or endpoint {upstream!r}.",
    )


def registry_not_shared(
    application_slug: str, upstream: str, registry: Candidate
) -> Refusal:
    return Refusal(
        "registry",
        Reason.REGISTRY_NOT_SHARED,
        _not_available(application_slug, upstream),
        detail=f"{registry.slug} is connected, but not shared with {application_slug}.",
        registry=registry,
    )


def _not_available(application_slug: str, upstream: str) -> str:
    # One sentence for both: customers must not learn which registries a vendor has.
    return (
        f"The registry {upstream!r} is not available to the application "
        f"{application_slug!r}. Ask your vendor to connect it."
    )


def repository_not_allowed(repository: str, registry: Candidate) -> Refusal:
    return Refusal(
        "repository",
        Reason.REPOSITORY_NOT_ALLOWED,
        f"The repository {repository!r} is not offered to customers. "
        "Check the image name, or ask your vendor to allow it.",
        detail=f"No pattern of {registry.slug} covers {repository!r}.",
        registry=registry,
    )


def image_without_application(name: str) -> Refusal:
    return Refusal(
        "action",
        Reason.REPOSITORY_NOT_ALLOWED,
        f"Images here are named APPLICATION_SLUG/IMAGE, and {name!r} has only one "
        "part. The slugs of your applications are on the portal's Images page.",
    )


def beyond_license(action: str) -> Refusal:
    return Refusal(
        "action",
        Reason.ACTION_NOT_ALLOWED,
        f"A license can pull images, but not {action} them. Log in with your e-mail "
        f"address and a user token to {action}.",
    )


def beyond_role(kind: ActorKind, action: str) -> Refusal:
    whose = {
        ActorKind.SERVICE_ACCOUNT: "The role of this service account",
        ActorKind.TEAM_TOKEN: "The role of this team token",
    }.get(kind, "Your role")
    return Refusal(
        "action",
        Reason.ACTION_NOT_ALLOWED,
        f"{whose} may not {action} images. Ask an owner or admin of the team for the "
        "developer role.",
    )


def read_only_token(action: str) -> Refusal:
    return Refusal(
        "action",
        Reason.ACTION_NOT_ALLOWED,
        f"This API token is read-only and cannot {action} images. Log in with one that "
        "is not read-only.",
    )


def catalog_not_listed() -> Refusal:
    return Refusal(
        "action",
        Reason.ACTION_NOT_ALLOWED,
        "The list of all repositories is not available. The portal's Images page shows "
        "those of your team.",
    )
