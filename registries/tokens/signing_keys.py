"""The keys of registry tokens: a long-lived root, and a leaf that it certifies.

Tokens carry the leaf's certificate (``x5c``), so a registry needs only the root in its
``rootcertbundle``, and does not restart when the leaf is replaced. This is the only
form that both Distribution 2.8 and v3 accept.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portal.crypto.jwk import thumbprint
from portal.crypto.pem import private_pem

ROOT_LIFETIME = timedelta(days=3650)
LEAF_LIFETIME = timedelta(days=365)


class SigningKeyError(Exception):
    """The configured key or certificates are unusable. Never quotes them."""


@dataclass(frozen=True, slots=True, repr=False)
class SigningMaterial:
    """New keys in PEM. The root key belongs in a safe place, on no server."""

    root_key_pem: str
    root_pem: str
    signing_pem: str


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """The leaf, which signs registry tokens."""

    private_key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def parse(cls, pem: str) -> SigningKey:
        """Read a PEM with the private key and its certificate.

        Raises:
            SigningKeyError: a part is missing, not P-256, or they do not match.
        """
        try:
            private_key = serialization.load_pem_private_key(pem.encode(), None)
            certificate = x509.load_pem_x509_certificate(pem.encode())
        except (ValueError, TypeError) as error:
            raise SigningKeyError(
                "BERTH_TOKEN_SIGNING_KEY needs a private key and its certificate in "
                "PEM; manage.py create_signing_keys writes them."
            ) from error
        if not isinstance(private_key, ec.EllipticCurvePrivateKey) or not isinstance(
            private_key.curve, ec.SECP256R1
        ):
            raise SigningKeyError("BERTH_TOKEN_SIGNING_KEY is not a P-256 key.")
        if certificate.public_key() != private_key.public_key():
            raise SigningKeyError("The certificate does not match the signing key.")
        return cls(private_key, certificate)

    @property
    def header(self) -> dict[str, object]:
        """Return the JOSE header that names this key."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return {
            "typ": "JWT",
            "kid": thumbprint(self.private_key.public_key()),
            "x5c": [base64.b64encode(der).decode()],
        }


def load_roots(pem: str) -> list[x509.Certificate]:
    """Read the bundle of root certificates.

    Raises:
        SigningKeyError: it holds none.
    """
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise SigningKeyError("BERTH_TOKEN_ROOTS holds no certificate.") from error


def is_issued_by(
    leaf: x509.Certificate, roots: list[x509.Certificate], now: datetime
) -> bool:
    """Return whether a root certifies the leaf, and both are valid now."""
    return _is_valid_at(leaf, now) and any(
        _is_valid_at(root, now) and _issued(leaf, root) for root in roots
    )


def _issued(leaf: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_valid_at(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def create_signing_material() -> SigningMaterial:
    """Make a new root and a first leaf."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = _certificate(
        "Berth registry token root", root_key, None, root_key, ROOT_LIFETIME
    )
    return SigningMaterial(
        root_key_pem=private_pem(root_key),
        root_pem=_certificate_pem(root),
        signing_pem=create_leaf(root_key, root),
    )


def renew_leaf(root_key_pem: str, root_pem: str) -> str:
    """Make a new leaf under an existing root.

    Raises:
        SigningKeyError: the root's key or certificate is malformed, or they do not
            match.
    """
    root_pair = SigningKey.parse(root_key_pem + root_pem)
    return create_leaf(root_pair.private_key, root_pair.certificate)


def create_leaf(root_key: ec.EllipticCurvePrivateKey, root: x509.Certificate) -> str:
    """Make a new leaf under a root: the PEM for ``BERTH_TOKEN_SIGNING_KEY``."""
    leaf_key = ec.generate_private_key(ec.SECP256R1())
    leaf = _certificate("Berth registry token", leaf_key, root, root_key, LEAF_LIFETIME)
    return private_pem(leaf_key) + _certificate_pem(leaf)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    lifetime: timedelta,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    # Backdated by an hour, for hosts whose clocks are behind.
    start = datetime.now(UTC) - timedelta(hours=1)
    is_root = issuer is None
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + lifetime)
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), True)
        .add_extension(_key_usage(is_root=is_root), True)
        .sign(issuer_key, hashes.SHA256())
    )


def _key_usage(*, is_root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_root,
        key_cert_sign=is_root,
        crl_sign=is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
