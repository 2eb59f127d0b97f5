"""Shell commands that use a pull credential and leave it out of the shell's history.

The secret is typed at a prompt that does not show it. Each text is one command, so that
a shell that runs lines as they are pasted takes none of them for the secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from shlex import quote

from oci.pull_secrets import USERNAME, pull_secret_name

_VARIABLE = "BERTH_SECRET"
_ASK = ('echo "Paste the secret, then press Enter."', f"read -rs {_VARIABLE}")
_FORGET = f"unset {_VARIABLE}"


def login_lines(client: str, hosts: Sequence[str]) -> str:
    """Return commands that log ``docker`` or ``podman`` in to all hosts."""
    return _commands(
        f'printf %s "${_VARIABLE}" |\n'
        f"  {client} login {quote(host)} -u {USERNAME} --password-stdin"
        for host in hosts
    )


def pull_secret_lines(application_slug: str, hosts: Sequence[str]) -> str:
    """Return commands that create a pull secret in Kubernetes for each host."""
    name = pull_secret_name(application_slug)
    names = [name, *(f"{name}-{number}" for number in range(2, len(hosts) + 1))]
    return _commands(
        f"kubectl create secret docker-registry {name} \\\n"
        f"  --docker-server={quote(host)} --docker-username={USERNAME} \\\n"
        f'  --docker-password="${_VARIABLE}"'
        for name, host in zip(names, hosts, strict=True)
    )


def _commands(commands: Iterable[str]) -> str:
    steps = " &&\n".join([*_ASK, *commands])
    return f"{steps}; {_FORGET}"
