"""RSA keys of license files: the installation's root, and the keys it signs.

With the root's public key, a license file can be verified offline: the root signed the
application's public key, and the application's key signed the license.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from portal.crypto.pem import pem_blocks, public_pem

# 128 bits of security, for licenses that never expire and are verified offline for
# decades. Signing takes less than a millisecond.
KEY_BITS = 3072
MIN_BITS = 2048
KEY_ID_DIGITS = 32
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)


@dataclass(frozen=True, slots=True, repr=False)
class LicenseRoots:
    """The roots of ``BERTH_LICENSE_ROOT_KEY``.

    ``signing`` is None while the private key is kept offline. ``public`` maps key IDs
    to the keys to publish, the signing one first.
    """

    signing: rsa.RSAPrivateKey | None
    public: dict[str, rsa.RSAPublicKey]

    @property
    def signing_id(self) -> str | None:
        return key_id(self.signing.public_key()) if self.signing else None

    def published(self) -> str:
        """Return the PEM that verifies license files; "" without a root."""
        return "".join(map(public_pem, self.public.values()))


def license_roots() -> LicenseRoots:
    """Return the configured roots."""
    return _parse(settings.BERTH_LICENSE_ROOT_KEY)


def check_configuration() -> None:
    """Check the root, if one is configured.

    Raises:
        ImproperlyConfigured: BERTH_LICENSE_ROOT_KEY is invalid.
    """
    license_roots()


def key_id(key: rsa.RSAPublicKey) -> str:
    """Return the ID of a root: the first half of the SHA-256 of its DER, in hex."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()[:KEY_ID_DIGITS]


def generate_key() -> rsa.RSAPrivateKey:
    """Generate a key, which takes a few tenths of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def load_own_key(pem: str) -> rsa.RSAPrivateKey:
    """Read a private key that Berth generated and stored encrypted."""
    # Decryption proved it intact, so the validation, which takes 0.1 s, is skipped.
    key = serialization.load_pem_private_key(
        pem.encode(), None, unsafe_skip_rsa_key_validation=True
    )
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 -- narrows; we generated it
    return key


def sign(key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    """Return the RSASSA-PSS signature (RFC 8017) with SHA-256 and a 32-byte salt."""
    return key.sign(message, _PSS, hashes.SHA256())


def _load(pem: str) -> rsa.RSAPrivateKey | rsa.RSAPublicKey:
    load: Callable[[bytes], object] = serialization.load_pem_public_key
    if "PRIVATE KEY" in pem.partition("\n")[0]:
        load = _load_private_key
    try:
        key = load(pem.encode())
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(_INVALID) from error
    if not isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        raise ImproperlyConfigured(_INVALID)
    if key.key_size < MIN_BITS:
        raise ImproperlyConfigured(_INVALID)
    return key


def _load_private_key(pem: bytes) -> object:
    return serialization.load_pem_private_key(pem, None)


_INVALID = (
    "BERTH_LICENSE_ROOT_KEY must be PEM with an RSA private key of at least 2048 bits, "
    "as manage.py create_license_root writes it. Public keys of earlier roots may "
    "follow."
)


@lru_cache(maxsize=1)
def _parse(pem: str) -> LicenseRoots:
    keys = [_load(block) for block in pem_blocks(pem)]
    if pem and not keys:
        raise ImproperlyConfigured(_INVALID)
    first = keys[0] if keys else None
    return LicenseRoots(
        signing=first if isinstance(first, rsa.RSAPrivateKey) else None,
        public=_by_id(keys),
    )


def _by_id(
    keys: Iterable[rsa.RSAPrivateKey | rsa.RSAPublicKey],
) -> dict[str, rsa.RSAPublicKey]:
    public = [
        key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key for key in keys
    ]
    return {key_id(key): key for key in public}
