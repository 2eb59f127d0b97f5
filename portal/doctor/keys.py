"""The keys: readable, those of the database, and not about to expire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error

from licenses.files.license_keys import check_configuration
from licenses.license_id import PURPOSE
from licenses.models import License
from portal.crypto.fields import encryption_keyring, lookup_keyring
from portal.crypto.keyring import KeyringError
from portal.doctor.findings import Finding, failed, ok, skipped, warning
from registries.models import Credential
from registries.tokens.signing_keys import (
    SigningKey,
    SigningKeyError,
    is_issued_by,
    load_roots,
)

RENEW_BEFORE = timedelta(days=30)
OF_BACKUP = (
    "Set the keys that the database was written with, such as those of its backup."
)


def encryption_keys() -> Finding:
    """Check that BERTH_ENCRYPTION_KEYS read what the database has."""
    check = "encryption keys"
    try:
        keys = encryption_keyring()
    except KeyringError as error:
        return failed(check, str(error), "Correct BERTH_ENCRYPTION_KEYS.")
    try:
        stored = [
            *(item.license_id for item in License.objects.order_by("-pk")[:3]),
            *(item.secret for item in Credential.objects.order_by("-pk")[:3]),
        ]
        for sealed in stored:
            sealed.reveal()
    except KeyringError as error:
        return failed(check, f"The database is of other keys. {error}", OF_BACKUP)
    except Error:
        return skipped(check, f"Readable ({keys.writing_id} writes); no database.")
    if not stored:
        return ok(check, f"Readable; {keys.writing_id} writes. Nothing is stored yet.")
    return ok(check, f"They read what is stored; {keys.writing_id} writes.")


def hmac_keys() -> Finding:
    """Check that BERTH_HMAC_KEYS find a license by its ID."""
    check = "HMAC keys"
    try:
        keys = lookup_keyring()
    except KeyringError as error:
        return failed(check, str(error), "Correct BERTH_HMAC_KEYS.")
    try:
        license = License.objects.order_by("-pk").first()
        if license is None:
            return ok(check, f"Readable; {keys.writing_id} writes. No license yet.")
        found = keys.candidates(license.license_id.reveal(), purpose=PURPOSE)
    except KeyringError:
        return skipped(check, "No license ID can be read: see encryption keys.")
    except Error:
        return skipped(check, f"Readable ({keys.writing_id} writes); no database.")
    if license.license_id_digest not in found:
        text = "No license ID is recognized: the database is of other keys."
        return failed(check, text, OF_BACKUP)
    return ok(check, f"They recognize license IDs; {keys.writing_id} writes.")


def signing_key() -> Finding:
    """Check that the edge can sign registry tokens, and for how long."""
    check = "signing key"
    advice = (
        "Make signing.pem with manage.py create_signing_keys, set "
        "BERTH_TOKEN_SIGNING_KEY and BERTH_TOKEN_ROOTS, and restart Berth."
    )
    if not settings.BERTH_TOKEN_SIGNING_KEY or not settings.BERTH_TOKEN_ROOTS:
        text = "BERTH_TOKEN_SIGNING_KEY or BERTH_TOKEN_ROOTS is not set."
        return skipped(check, text, "Run doctor with the settings of the edge.")
    try:
        leaf = SigningKey.parse(settings.BERTH_TOKEN_SIGNING_KEY).certificate
        roots = load_roots(settings.BERTH_TOKEN_ROOTS)
    except SigningKeyError as error:
        return failed(check, str(error), advice)
    now, end = datetime.now(UTC), leaf.not_valid_after_utc
    if not is_issued_by(leaf, roots, now):
        text = f"No root of BERTH_TOKEN_ROOTS certifies it now; it ends {end:%Y-%m-%d}."
        return failed(check, text, f"No token is valid. {advice}")
    renew = "Renew it: manage.py create_signing_keys --renew, where root.key is."
    if end - now < RENEW_BEFORE:
        return warning(check, f"It ends on {end:%Y-%m-%d}.", renew)
    return ok(check, f"A root certifies it until {end:%Y-%m-%d}.")


def license_root() -> Finding:
    """Check the root of license files."""
    check = "root of license files"
    if not settings.BERTH_LICENSE_ROOT_KEY:
        text = "BERTH_LICENSE_ROOT_KEY is not set: there are no license files."
        return skipped(check, text, "Only the portal needs it.")
    try:
        check_configuration()
    except ImproperlyConfigured as error:
        return failed(check, str(error), "Correct BERTH_LICENSE_ROOT_KEY.")
    return ok(check, "Readable.")
