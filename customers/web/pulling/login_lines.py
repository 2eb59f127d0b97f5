"""Shell commands that use a pull credential and leave it out of the shell's history.

The secret is typed at a prompt that does not show it, and no process has it among its
arguments. Each text is one command, so that a shell that runs lines as they are pasted
takes none of them for the secret. Its variable ends with the parentheses, and its exit
status is that of the client.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from oci.pull_secrets import USERNAME

_VARIABLE = "BERTH_SECRET"
_ASK = f'(echo "Paste the secret, then press Enter." >&2; read -rs {_VARIABLE} &&\n'


def login_lines(client: str, hosts: Sequence[str]) -> str:
    """Return commands that log ``docker`` or ``podman`` in to all hosts."""
    logins = (
        f'  printf %s "${_VARIABLE}" |\n'
        f"  {client} login {quote(host)} -u {USERNAME} --password-stdin"
        for host in hosts
    )
    return _ASK + " &&\n".join(logins) + ")"


def pull_secret_lines(portal: str) -> str:
    """Return commands that create the pull secret in Kubernetes, or replace it.

    The portal writes it, for all hosts.
    """
    return (
        f'{_ASK}  printf \'user = "{USERNAME}:%s"\\n\' "${_VARIABLE}" |\n'
        "  curl --fail --silent --show-error --config - "
        f"{quote(f'{portal}/api/v1/license/pull-secret')} |\n"
        "  kubectl apply --filename -)"
    )
