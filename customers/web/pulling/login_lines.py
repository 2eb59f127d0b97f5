"""Shell commands that use a pull credential and leave it out of the shell's history.

The secret is typed at a prompt that does not show it. Each text is one command, so that
a shell that runs lines as they are pasted takes none of them for the secret.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from oci.pull_secrets import USERNAME, pull_secret_name

_VARIABLE = "BERTH_PULL_CREDENTIAL"
_ASK = f'echo "Paste the secret, then press Enter." && read -rs {_VARIABLE}'
_FORGET = f"unset {_VARIABLE}"


def login_lines(client: str, hosts: Sequence[str]) -> str:
    """Return commands that log ``docker`` or ``podman`` in to all hosts."""
    return _commands(
        f'printf %s "${_VARIABLE}" | {client} login {shlex.quote(host)} '
        f"--username {USERNAME} --password-stdin"
        for host in hosts
    )


def pull_secret_lines(application_slug: str, hosts: Sequence[str]) -> str:
    """Return commands that create a pull secret in Kubernetes for each host."""
    name = pull_secret_name(application_slug)
    names = [name, *(f"{name}-{number}" for number in range(2, len(hosts) + 1))]
    return _commands(
        f"kubectl create secret docker-registry {name} "
        f"--docker-server={shlex.quote(host)} --docker-username={USERNAME} "
        f'--docker-password="${_VARIABLE}"'
        for name, host in zip(names, hosts, strict=True)
    )


def _commands(commands: Iterable[str]) -> str:
    steps = " &&\n  ".join([_ASK, *commands])
    return f"{steps}; {_FORGET}"
