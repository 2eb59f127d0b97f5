"""A certificate authority of the tests' own, and servers' certificates under it."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

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
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _build("Test authority", self._key, None, self._key, [])
        self._issued = 0

    @property
    def pem(self) -> str:
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.pem)

    def issue(
        self, *hosts: str, expired: bool = False, self_signed: bool = False
    ) -> ServerCertificate:
        """Return a certificate for names and addresses, with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = None if self_signed else self._certificate
        issuer_key = key if self_signed else self._key
        certificate = _build(
            "Test server", key, issuer, issuer_key, list(hosts), expired=expired
        )
        self._issued += 1
        files = ServerCertificate(
            self._directory / f"server{self._issued}.crt",
            self._directory / f"server{self._issued}.key",
        )
        encoding = serialization.Encoding.PEM
        files.certificate.write_bytes(certificate.public_bytes(encoding))
        files.key.write_bytes(
            key.private_bytes(
                encoding,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files


def _build(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    hosts: list[str],
    *,
    expired: bool = False,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = datetime.now(UTC) + (-DAY if expired else DAY)
    identifier = x509.SubjectKeyIdentifier.from_public_key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - 30 * DAY)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=not hosts, path_length=None), True)
        .add_extension(identifier(key.public_key()), False)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(names, False).add_extension(usage, False)
    return builder.sign(issuer_key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
