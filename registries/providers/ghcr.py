"""GitHub Container Registry."""

from __future__ import annotations

from registries.providers.problems import Problem
from registries.providers.provider import AuthType, Provider


def _mistakes(_username: str, secret: str) -> dict[str, str]:
    if secret.startswith("github_pat_"):
        return {
            "secret": "GitHub's registry rejects fine-grained tokens. Create a "
            "personal access token (classic) with the scope read:packages."
        }
    return {}


GHCR = Provider(
    name="ghcr",
    title="GitHub",
    auth_types=(
        AuthType(
            "token",
            "Personal access token",
            username_label="GitHub username",
            secret_label="Personal access token (classic)",
            secret_help="With the scope read:packages. Looks like ghp_…",
            mistakes=_mistakes,
        ),
    ),
    fixed_endpoint="ghcr.io",
    help=(
        (
            "On GitHub, open Settings, Developer settings, Personal access tokens, "
            "Tokens (classic), and generate one with read:packages alone."
        ),
        "Preferably use a separate account that may read only the packages to sell.",
        "If your organization uses single sign-on, authorize the token for it.",
    ),
    help_url="https://docs.github.com/packages/working-with-a-github-packages-registry/"
    "working-with-the-container-registry",
    guide="registries/github/",
    test_help="Signing in does not show which packages the token may read.",
    meanings={
        Problem.WRONG_CREDENTIAL: "GitHub reports this for a token that has expired, "
        "was revoked, or lacks read:packages.",
        Problem.NOT_LET_IN: "GitHub reports this for a token that has expired, "
        "was revoked, or lacks read:packages.",
        Problem.NO_ACCESS: "On GitHub, give the account Read in the package's "
        "settings and, with single sign-on, authorize the token for the organization.",
    },
)
