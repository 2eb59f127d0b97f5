"""An authority that all processes of the tests trust beside the system's.

Berth reads the keys of issuers by TLS alone, with the system's authorities.
"""

from __future__ import annotations

import atexit
import os
import shutil
import ssl
import tempfile
from pathlib import Path

import trustme

_NAME = "BERTH_TESTS_AUTHORITY"


def trust_own_authority() -> None:
    """Make an authority, and trust it in this process and those that it starts.

    Before anything makes a TLS context.
    """
    directory = Path(tempfile.mkdtemp(prefix="berth-authority-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "authority.crt")
    authority.private_key_pem.write_to_path(directory / "authority.key")
    system = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    trusted = Path(system).read_text() if system and Path(system).exists() else ""
    bundle = directory / "trusted.crt"
    bundle.write_text(f"{trusted}\n{authority.cert_pem.bytes().decode()}")
    os.environ["SSL_CERT_FILE"] = str(bundle)
    os.environ[_NAME] = str(directory)


def own_server_context(*hosts: str) -> ssl.SSLContext:
    """Return the context of a server that the tests' processes trust."""
    directory = Path(os.environ[_NAME])
    authority = trustme.CA.from_pem(
        (directory / "authority.crt").read_bytes(),
        (directory / "authority.key").read_bytes(),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(context)
    return context
