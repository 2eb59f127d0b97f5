"""The key of an application's license files: made once, vouched for by a root."""

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
    """Return the application's key, which a root that is in use vouches for.

    The first call makes it, and a new root signs it again; both happen once, whoever
    calls at the same time.

    Raises:
        Conflict: that needs a root's private key, and there is none in the settings.
    """
    roots = license_roots()
    found = _existing(application)
    if found is None:
        return _create(application, _root_to_sign_with(roots))
    if _is_vouched_for(found, roots):
        return found
    return _vouch(application, found, _root_to_sign_with(roots))


def private_key_of(stored: LicenseSigningKey) -> rsa.RSAPrivateKey:
    return load_own_key(stored.private_key.reveal())


def root_signature_of(stored: LicenseSigningKey) -> RootSignature:
    return RootSignature(stored.root_id, base64.b64decode(stored.root_signature))


@transaction.atomic
def replace_signing_key(application: Application) -> LicenseSigningKey:
    """Give an application another key, for license files from now on.

    Files of the old key stay good for whoever trusts the root that vouched for it.

    Raises:
        Conflict: there is no root's private key in the settings.
    """
    root = _root_to_sign_with(license_roots())
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
    vouched = RootSignature.make(root, pem)
    keys = LicenseSigningKey.objects.for_team(application.team_id)
    # Of several at the same time the database keeps the first one, and all take that.
    stored, is_new = keys.get_or_create(
        application=application,
        defaults={
            "team_id": application.team_id,
            "private_key": Secret(private_pem(key)),
            "public_key": pem,
            **_columns(vouched),
        },
    )
    if is_new:
        _record(EventTag.LICENSE_KEY_CREATED, application, stored)
    return stored


def _is_vouched_for(stored: LicenseSigningKey, roots: LicenseRoots) -> bool:
    if roots.signing_id is not None:
        return stored.root_id == roots.signing_id
    return stored.root_id in roots.public


@transaction.atomic
def _vouch(
    application: Application, found: LicenseSigningKey, root: rsa.RSAPrivateKey
) -> LicenseSigningKey:
    # Of several at the same time one writes. Whoever waited for it, or for another
    # key in this one's place, changes nothing and takes what is there then.
    columns = _columns(RootSignature.make(root, found.public_key))
    same = _of(application).filter(pk=found.pk, root_id=found.root_id)
    changed = same.update(**columns)
    stored = _existing(application)
    if stored is None:
        return _create(application, root)
    if changed:
        _record(EventTag.LICENSE_KEY_SIGNED_ANEW, application, stored)
    return stored


def _record(tag: EventTag, application: Application, key: LicenseSigningKey) -> None:
    record(system_actor(application.team), tag, key, root_id=key.root_id)


def _columns(vouched: RootSignature) -> dict[str, str]:
    signature = base64.b64encode(vouched.signature).decode()
    return {"root_id": vouched.root_id, "root_signature": signature}


def _root_to_sign_with(roots: LicenseRoots) -> rsa.RSAPrivateKey:
    if roots.signing is None:
        raise Conflict(
            "license_signing_not_set_up",
            "This installation cannot sign this license file yet. Its operator has to "
            "set BERTH_LICENSE_ROOT_KEY; manage.py create_license_root makes one.",
        )
    return roots.signing
