"""Quay: quay.io, and self-hosted Red Hat Quay."""

from __future__ import annotations

from registries.providers.problems import Problem
from registries.providers.provider import PASSWORD, AuthType, Provider


def _mistakes(username: str, _secret: str) -> dict[str, str]:
    if "+" in username.strip("+"):
        return {}
    return {
        "username": "A robot's name contains a plus sign, such as my-org+puller. "
        "Copy the whole name."
    }


QUAY = Provider(
    name="quay",
    title="Quay.io",
    auth_types=(
        AuthType(
            "robot",
            "Robot account",
            username_label="Robot account",
            secret_label="Robot token",
            username_help="Looks like my-org+puller.",
            mistakes=_mistakes,
        ),
        PASSWORD,
    ),
    usual_endpoint="quay.io",
    endpoint_example="quay.io",
    endpoint_help="quay.io, or the host of your own Red Hat Quay.",
    help=(
        (
            "On quay.io, open your organization, then Robot accounts, and create one "
            "with Read permission on the repositories to sell."
        ),
        "Its page shows the username, such as my-org+puller, and the token.",
    ),
    help_url="https://docs.redhat.com/en/documentation/red_hat_quay",
    guide="registries/quay/",
    test_help="Quay accepts any robot: only an image shows whether it may read.",
    meanings={
        Problem.WRONG_CREDENTIAL: "Quay reports this when the robot was deleted or its "
        "token was regenerated. Copy both again from the robot's page.",
        Problem.NO_ACCESS: "On Quay, give the robot Read permission in the settings "
        "of the repository. Quay reports the same for a repository that does not "
        "exist.",
    },
)
