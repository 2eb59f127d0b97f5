"""The hosts of Google Container Registry, now served by Artifact Registry."""

from __future__ import annotations

import re

from registries.providers.google import service_accounts as google
from registries.providers.provider import Provider

GCR = Provider(
    name="gcr",
    title="Google gcr.io",
    auth_types=(google.JSON_KEY,),
    usual_endpoint="gcr.io",
    endpoint_pattern=re.compile(r"((us|eu|asia)\.)?gcr\.io"),
    endpoint_example="gcr.io",
    endpoint_help="gcr.io, us.gcr.io, eu.gcr.io or asia.gcr.io, as in your image "
    "names.",
    help=google.HELP,
    help_url="https://cloud.google.com/artifact-registry/docs/docker/authentication",
    guide="registries/google/",
    test_help=google.TEST_HELP,
    meanings=google.MEANINGS,
)
