"""Google Artifact Registry: one host per region."""

from __future__ import annotations

import re

from registries.providers.google import service_accounts as google
from registries.providers.provider import Provider

GAR = Provider(
    name="gar",
    title="Google Artifact Registry",
    auth_types=(google.JSON_KEY,),
    endpoint_pattern=re.compile(r"[a-z0-9-]+-docker\.pkg\.dev"),
    endpoint_example="us-docker.pkg.dev",
    endpoint_help="The first part of your image names: a region, then "
    "-docker.pkg.dev. The project and the repository belong to the image name.",
    help=google.HELP,
    help_url="https://cloud.google.com/artifact-registry/docs/docker/authentication",
    guide="registries/google/",
    test_help=google.TEST_HELP,
    meanings=google.MEANINGS,
)
