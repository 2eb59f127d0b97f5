"""Amazon ECR."""

from __future__ import annotations

import re

from registries.providers.base import AuthType, Provider

ECR = Provider(
    name="ecr",
    title="Amazon ECR",
    auth_types=(AuthType("access_key", "Access key"),),
    endpoint_pattern=re.compile(
        r"[0-9]{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?"
    ),
    endpoint_example="123456789012.dkr.ecr.eu-central-1.amazonaws.com",
)
