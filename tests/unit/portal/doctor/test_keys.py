from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from licenses.models import License
from portal.doctor import keys
from portal.doctor.findings import Finding, Status
from registries.tokens.signing_keys import SigningMaterial, create_signing_material
from tests.support.rows.factories import CredentialFactory, LicenseFactory


def new_key(name: str) -> str:
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


def is_failure(finding: Finding, *words: str) -> bool:
    text = f"{finding.text} {finding.advice}"
    return finding.status is Status.FAILED and all(word in text for word in words)


@pytest.fixture
def license(db: None) -> License:
    CredentialFactory()
    return LicenseFactory()


def test_the_keys_of_the_database(license: License) -> None:
    assert keys.encryption_keys().status is Status.OK
    assert keys.hmac_keys().status is Status.OK


@pytest.mark.django_db
def test_keys_of_an_empty_database() -> None:
    assert keys.encryption_keys().text.endswith("Nothing is stored yet.")
    assert keys.hmac_keys().text.endswith("No license yet.")


def test_a_missing_encryption_key(license: License, settings: Any) -> None:
    settings.BERTH_ENCRYPTION_KEYS = new_key("k9")
    finding = keys.encryption_keys()
    assert is_failure(finding, "of other keys", "those of its backup")
    assert settings.BERTH_ENCRYPTION_KEYS not in f"{finding}"
    # Then it cannot be said whether the others are right.
    assert keys.hmac_keys().status is Status.SKIPPED


def test_another_encryption_key_of_the_same_name(
    license: License, settings: Any
) -> None:
    name = settings.BERTH_ENCRYPTION_KEYS.partition(":")[0]
    settings.BERTH_ENCRYPTION_KEYS = new_key(name)
    assert is_failure(keys.encryption_keys(), "of other keys")


def test_a_wrong_key_only_for_registries(license: License, settings: Any) -> None:
    """The latest license was issued after the keys were confused."""
    settings.BERTH_ENCRYPTION_KEYS = new_key("k9")
    License.objects.all().delete()
    LicenseFactory()
    assert is_failure(keys.encryption_keys(), "of other keys")


def test_another_hmac_key(license: License, settings: Any) -> None:
    settings.BERTH_HMAC_KEYS = new_key("k9")
    assert is_failure(keys.hmac_keys(), "No license ID is recognized")


def test_an_hmac_key_that_was_replaced_stays_known(
    license: License, settings: Any
) -> None:
    settings.BERTH_HMAC_KEYS = f"{new_key('k9')},{settings.BERTH_HMAC_KEYS}"
    finding = keys.hmac_keys()
    assert (finding.status, finding.text[-10:]) == (Status.OK, "k9 writes.")


@pytest.mark.parametrize("text", ["k1", "k1:AAAA", "k1:not base64"])
def test_malformed_keys(settings: Any, text: str) -> None:
    settings.BERTH_ENCRYPTION_KEYS = settings.BERTH_HMAC_KEYS = text
    assert is_failure(keys.encryption_keys(), "Correct BERTH_ENCRYPTION_KEYS")
    assert is_failure(keys.hmac_keys(), "Correct BERTH_HMAC_KEYS")


def test_the_signing_key() -> None:
    finding = keys.signing_key()
    assert (finding.status, finding.advice) == (Status.OK, "")


def test_a_process_without_a_signing_key(settings: Any) -> None:
    settings.BERTH_TOKEN_SIGNING_KEY = ""
    assert keys.signing_key().status is Status.SKIPPED


def test_a_signing_key_of_another_root(settings: Any) -> None:
    settings.BERTH_TOKEN_ROOTS = create_signing_material().root_pem
    assert is_failure(keys.signing_key(), "No root", "create_signing_keys")


def leaf_that_ends(in_days: int, material: SigningMaterial) -> str:
    """Certify the material's own signing key again, with another end."""
    root_key = serialization.load_pem_private_key(material.root_key_pem.encode(), None)
    assert isinstance(root_key, ec.EllipticCurvePrivateKey)
    root = x509.load_pem_x509_certificate(material.root_pem.encode())
    leaf = x509.load_pem_x509_certificate(material.signing_pem.encode())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=root.subject, subject_name=leaf.subject)
        .public_key(leaf.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=300))
        .not_valid_after(now + timedelta(days=in_days))
        .sign(root_key, hashes.SHA256())
    )
    key = material.signing_pem.partition("-----BEGIN CERTIFICATE")[0]
    return key + certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("days", "status"),
    [(-1, Status.FAILED), (29, Status.WARNING), (31, Status.OK)],
)
def test_the_end_of_the_signing_key(settings: Any, days: int, status: Status) -> None:
    material = create_signing_material()
    settings.BERTH_TOKEN_SIGNING_KEY = leaf_that_ends(days, material)
    settings.BERTH_TOKEN_ROOTS = material.root_pem
    finding = keys.signing_key()
    assert finding.status is status
    assert bool(finding.advice) is (status is not Status.OK)


def test_a_signing_key_that_is_none(settings: Any) -> None:
    settings.BERTH_TOKEN_SIGNING_KEY = "-----BEGIN PRIVATE KEY-----"
    assert is_failure(keys.signing_key(), "needs a private key and its certificate")


def test_the_root_of_license_files(settings: Any) -> None:
    assert keys.license_root().status is Status.OK
    settings.BERTH_LICENSE_ROOT_KEY = "no key"
    assert is_failure(keys.license_root(), "Correct BERTH_LICENSE_ROOT_KEY")
    settings.BERTH_LICENSE_ROOT_KEY = ""
    assert keys.license_root().status is Status.SKIPPED
