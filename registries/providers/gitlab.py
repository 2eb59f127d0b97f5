"""GitLab: gitlab.com, and self-managed instances.

The token service is GitLab itself, usually on another host of the same registrable
domain. If the domain differs, the vendor enters it as the trusted realm.
"""

from __future__ import annotations

from registries.providers.problems import Problem
from registries.providers.provider import AuthType, Provider

GITLAB = Provider(
    name="gitlab",
    title="GitLab",
    auth_types=(
        AuthType(
            "deploy_token",
            "Deploy token",
            secret_label="Deploy token",
            username_help="Looks like gitlab+deploy-token-123456.",
            secret_help="With the scope read_registry. Looks like gldt-…",
        ),
        AuthType(
            "token",
            "Access token",
            secret_label="Access token",
            username_help="Your GitLab name; any text for a project or group token.",
            secret_help="With the scope read_registry. Looks like glpat-…",
        ),
    ),
    usual_endpoint="registry.gitlab.com",
    endpoint_example="registry.gitlab.com",
    endpoint_help="registry.gitlab.com, or the registry host of your own GitLab.",
    help=(
        (
            "In the project or group, open Settings, Repository, Deploy tokens, and "
            "add one with read_registry."
        ),
        "GitLab shows the username and the token only once.",
    ),
    help_url="https://docs.gitlab.com/user/project/deploy_tokens/",
    guide="registries/gitlab/",
    test_help="GitLab accepts any token: only an image shows whether it may read.",
    meanings={
        Problem.WRONG_CREDENTIAL: "GitLab reports this for a token that has expired, "
        "was revoked, or lacks read_registry.",
        Problem.NO_ACCESS: "In GitLab, use a token of the project or group that the "
        "image belongs to, with read_registry. GitLab reports the same for a project "
        "that does not exist.",
        Problem.REALM_NOT_TRUSTED: "If this is the host of your GitLab, enter it as "
        "the trusted token realm.",
    },
)
