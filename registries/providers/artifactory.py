"""JFrog Artifactory."""

from __future__ import annotations

from registries.providers.problems import Problem
from registries.providers.provider import PASSWORD, AuthType, Provider

ARTIFACTORY = Provider(
    name="artifactory",
    title="Artifactory",
    auth_types=(
        AuthType(
            "token",
            "Access token",
            secret_label="Access token",
            secret_help="An identity token, a reference token or a scoped access "
            "token.",
        ),
        PASSWORD,
    ),
    endpoint_example="my-company.jfrog.io",
    endpoint_help="Host of the platform, or the subdomain of the repository, as in "
    "your image names.",
    help=(
        "Create a user for Berth with Read on the Docker repositories to sell.",
        (
            "As that user, open Edit profile and generate an identity token, or let "
            "an administrator create a scoped access token."
        ),
    ),
    help_url="https://jfrog.com/help/r/jfrog-artifactory-documentation/docker-registry",
    guide="registries/artifactory/",
    meanings={
        Problem.WRONG_CREDENTIAL: "Artifactory reports this when the token has expired "
        "or was revoked, when the password changed, and while the user is locked.",
        Problem.NO_ACCESS: "In Artifactory, give the user Read on the repository. "
        "Image names start with the repository's key: my-docker-repo/my-org/api.",
    },
)
