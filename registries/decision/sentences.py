"""What customers read when a pull is denied, wherever they ask."""

from __future__ import annotations

UNKNOWN_LICENSE = (
    "No known license came with this request. Log in with any username and your "
    "license ID as the password."
)


def application_not_licensed(application_slug: str) -> str:
    """Tell that an image belongs to an application of another license."""
    return (
        f"This license does not include the application {application_slug!r}. "
        "Check the image name."
    )


def registry_not_available(application_slug: str, upstream: str) -> str:
    """Tell the same of a registry that is not connected and of one not shared."""
    return (
        f"The registry {upstream!r} is not available to the application "
        f"{application_slug!r}. Ask your vendor to connect it."
    )


def repository_not_offered(repository: str) -> str:
    """Tell that no pattern of a registry covers a repository."""
    return (
        f"The repository {repository!r} is not offered to customers. "
        "Check the image name, or ask your vendor to allow it."
    )
