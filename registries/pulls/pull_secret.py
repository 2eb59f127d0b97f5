"""The image pull secret for the holder of a license."""

from __future__ import annotations

import re
from collections.abc import Sequence

from licenses.models import Application
from oci.portable_yaml import to_portable_yaml
from oci.pull_secrets import docker_config, pull_secret, pull_secret_name
from portal.crypto.secrets import Secret
from portal.errors import Invalid

# One label of RFC 1123, as Kubernetes requires.
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def check_namespace(namespace: str) -> None:
    """Check that Kubernetes accepts the name.

    Raises:
        Invalid: it does not.
    """
    if not _NAMESPACE.fullmatch(namespace):
        message = (
            "Use at most 63 lower-case letters, digits and '-', with no '-' at an end."
        )
        raise Invalid({"namespace": [message]})


def pull_secret_of(
    application: Application,
    secret: Secret,
    hosts: Sequence[str],
    namespace: str | None = None,
) -> str:
    """Return the manifest as YAML. It contains the holder's secret."""
    config = docker_config(hosts, secret.reveal())
    name = pull_secret_name(application.slug)
    return to_portable_yaml(pull_secret(name, config, namespace or ""))
