"""Sonatype Nexus Repository."""

from __future__ import annotations

from registries.providers.problems import Problem
from registries.providers.provider import PASSWORD, AuthType, Provider

NEXUS = Provider(
    name="nexus",
    title="Nexus",
    auth_types=(
        PASSWORD,
        AuthType(
            "user_token",
            "User token",
            username_label="User token name code",
            secret_label="User token pass code",
        ),
    ),
    endpoint_example="nexus.example.com:8443",
    endpoint_help="Host and port of the Docker connector, not of the Nexus user "
    "interface, or the subdomain of the repository.",
    help=(
        (
            "Create a user whose role has nx-repository-view-docker-REPOSITORY-read "
            "and -browse, and nothing else."
        ),
        "With a licensed Nexus, use a user token: Account, User token.",
    ),
    help_url="https://help.sonatype.com/en/docker-registry.html",
    guide="registries/nexus/",
    meanings={
        Problem.NOT_A_REGISTRY: "This looks like the port of the Nexus user interface. "
        "Enter the port of the repository's Docker connector.",
        Problem.WRONG_CREDENTIAL: "Nexus also reports this for a user token that has "
        "expired, and while the Docker Bearer Token realm is not active.",
        Problem.NO_ACCESS: "In Nexus, give the user a role with "
        "nx-repository-view-docker-REPOSITORY-read.",
    },
)
