"""The key of an application's license files: created once, certified by a root."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import transaction
from django.db.models import QuerySet

from audit.services import record
from audit.tags import EventTag
from licenses.files.license_keys import (
    LicenseRoots,
    generate_key,
    license_roots,
    load_own_key,
)
from licenses.files.signature import RootSignature
from licenses.models import Application, LicenseSigningKey
from portal.crypto.pem import private_pem, public_pem
from portal.crypto.secrets import Secret
from portal.errors import Conflict
from teams.actors import system_actor


def signing_key_of(application: Application) -> LicenseSigningKey:
    """Return the application's key, signed by a current root.

    The first call creates the key, and the first call with a new root re-signs it.
    Concurrent calls do either only once.

    Raises:
        Conflict: a root's private key is needed, and none is configured.
    """
    roots = license_roots()
    key = _existing(application)
    if key is None:
        return _create(application, _signing_root(roots))
    if _is_signed_by(roots, key):
        return key
    return _re_sign(application, key, _signing_root(roots))


def private_key_of(stored: LicenseSigningKey) -> rsa.RSAPrivateKey:
    return load_own_key(stored.private_key.reveal())


def root_signature_of(stored: LicenseSigningKey) -> RootSignature:
    return RootSignature(stored.root_id, base64.b64decode(stored.root_signature))


@transaction.atomic
def replace_signing_key(application: Application) -> LicenseSigningKey:
    """Give an application a new key for its future license files.

    Files signed with the old key stay valid for everyone who trusts its root.

    Raises:
        Conflict: no root's private key is configured.
    """
    root = _signing_root(license_roots())
    _of(application).delete()
    return _create(application, root)


def _of(application: Application) -> QuerySet[LicenseSigningKey]:
    return LicenseSigningKey.objects.for_team(application.team_id).filter(
        application=application
    )


def _existing(application: Application) -> LicenseSigningKey | None:
    return next(iter(_of(application)), None)


@transaction.atomic
def _create(application: Application, root: rsa.RSAPrivateKey) -> LicenseSigningKey:
    key = generate_key()
    pem = public_pem(key.public_key())
    root_signature = RootSignature.make(root, pem)
    keys = LicenseSigningKey.objects.for_team(application.team_id)
    # The database keeps the first of several concurrent keys, and all callers use it.
    stored, is_new = keys.get_or_create(
        application=application,
        defaults={
            "team_id": application.team_id,
            "private_key": Secret(private_pem(key)),
            "public_key": pem,
            **_columns(root_signature),
        },
    )
    if is_new:
        _record(EventTag.LICENSE_KEY_CREATED, application, stored)
    return stored


def _is_signed_by(roots: LicenseRoots, key: LicenseSigningKey) -> bool:
    if roots.signing_id is not None:
        return key.root_id == roots.signing_id
    return key.root_id in roots.public


@transaction.atomic
def _re_sign(
    application: Application, key: LicenseSigningKey, root: rsa.RSAPrivateKey
) -> LicenseSigningKey:
    # One of several concurrent calls writes. The others match no row, because the key
    # was re-signed or replaced first, and return what is stored by then.
    columns = _columns(RootSignature.make(root, key.public_key))
    unchanged = _of(application).filter(pk=key.pk, root_id=key.root_id)
    changed = unchanged.update(**columns)
    stored = _existing(application)
    if stored is None:
        return _create(application, root)
    if changed:
        _record(EventTag.LICENSE_KEY_RE_SIGNED, application, stored)
    return stored


def _record(tag: EventTag, application: Application, key: LicenseSigningKey) -> None:
    record(system_actor(application.team), tag, key, root_id=key.root_id)


def _columns(root_signature: RootSignature) -> dict[str, str]:
    signature = base64.b64encode(root_signature.signature).decode()
    return {"root_id": root_signature.root_id, "root_signature": signature}


def _signing_root(roots: LicenseRoots) -> rsa.RSAPrivateKey:
    if roots.signing is None:
        raise Conflict(
            "license_signing_not_set_up",
            "This installation cannot sign this license file yet. Ask the operator to "
            "set BERTH_LICENSE_ROOT_KEY; manage.py create_license_root creates it.",
        )
    return roots.signing
