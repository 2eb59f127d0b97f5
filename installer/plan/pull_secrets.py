"""The pull secret, once for each namespace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from installer.plan.images import Hosts
from oci.kustomize import dump_yaml
from oci.pull_secrets import docker_config, pull_secret, pull_secret_name


def pull_secrets(
    license_id: str, hosts: Hosts, namespaces: Iterable[str]
) -> list[dict[str, Any]]:
    """Return one Secret for each namespace."""
    config = docker_config(hosts.all, license_id)
    name = pull_secret_name(hosts.application)
    return [pull_secret(name, config, namespace) for namespace in namespaces]


def secrets_yaml(secrets: Iterable[dict[str, Any]]) -> str:
    return "---\n".join(dump_yaml(secret) for secret in secrets)
