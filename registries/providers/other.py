"""Any registry of the distribution API, signed in to with a name and a password."""

from __future__ import annotations

from registries.providers.base import Provider

OTHER = Provider(
    name="other",
    title="Other registry",
    help=(
        (
            "quay.io: a robot account (Account settings, Robot accounts). Its "
            "username looks like my-org+puller."
        ),
        (
            "ghcr.io: your GitHub name and a personal access token (classic) with "
            "read:packages."
        ),
        "GitLab: a deploy token with read_registry (Settings, Repository).",
        (
            "Google (gcr.io, pkg.dev): the username _json_key, and the whole JSON key "
            "of a service account as the password."
        ),
        "Others: an account that may pull, and nothing else.",
    ),
    endpoint_help=(
        "The host that image names begin with, such as quay.io or gcr.io, with its "
        "port if it has one."
    ),
)
