"""Any registry of the distribution API, signed in to with a name and a password."""

from __future__ import annotations

from registries.providers.provider import Provider

OTHER = Provider(
    name="other",
    title="Other registry",
    endpoint_example="quay.io",
    endpoint_help="The host that image names begin with, such as quay.io or "
    "registry.example.com:5000, with its port if it has one.",
    help=(
        "An account that may pull the images to sell, and nothing else.",
        "Many registries call it a robot, a deploy token or a service account.",
    ),
)
