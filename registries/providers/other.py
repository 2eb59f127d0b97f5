"""Any registry that speaks the distribution API and takes username and password."""

from __future__ import annotations

from registries.providers.provider import Provider

OTHER = Provider(
    name="other",
    title="Other registry",
    endpoint_example="quay.io",
    endpoint_help="The host that image names begin with, such as quay.io or "
    "registry.example.com:5000, including the port if there is one.",
    help=(
        "Use an account that may pull the images to sell, and nothing else.",
        "Many registries call it a robot, a deploy token or a service account.",
    ),
)
