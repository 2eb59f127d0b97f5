"""A certificate authority of the tests' own, and servers' certificates under it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

DAY = timedelta(days=1)


@dataclass(frozen=True)
class ServerCertificate:
    """Files in PEM, as servers read them."""

    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    """Signs certificates, and makes clients that trust it and nobody else."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._authority = trustme.CA()
        self._issued = 0

    @property
    def pem(self) -> str:
        return self._authority.cert_pem.bytes().decode()

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.pem)

    def issue(
        self, *hosts: str, expired: bool = False, self_signed: bool = False
    ) -> ServerCertificate:
        """Return a certificate for names and addresses, with its key.

        A self-signed one is that of an authority, and names no host.
        """
        if self_signed:
            authority = trustme.CA()
            certificate, key = authority.cert_pem, authority.private_key_pem
        else:
            end = datetime.now(UTC) + (-DAY if expired else DAY)
            issued = self._authority.issue_cert(*hosts, not_after=end)
            certificate, key = issued.cert_chain_pems[0], issued.private_key_pem
        self._issued += 1
        files = ServerCertificate(
            self._directory / f"server{self._issued}.crt",
            self._directory / f"server{self._issued}.key",
        )
        certificate.write_to_path(files.certificate)
        key.write_to_path(files.key)
        return files
