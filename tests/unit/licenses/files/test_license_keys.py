from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.exceptions import ImproperlyConfigured

from licenses.files.license_keys import (
    check_configuration,
    generate_key,
    key_id,
    license_roots,
    load_own_key,
)
from portal.crypto.pem import private_pem, public_pem

NEW, OLD = generate_key(), generate_key()
NEW_PEM, OLD_PEM = (public_pem(key.public_key()) for key in (NEW, OLD))


def test_the_first_root_signs_and_all_are_published(settings: Any) -> None:
    settings.BERTH_LICENSE_ROOT_KEY = private_pem(NEW) + OLD_PEM

    roots = license_roots()

    assert roots.signing is not None
    assert roots.signing_id == key_id(NEW.public_key())
    assert list(roots.public) == [key_id(NEW.public_key()), key_id(OLD.public_key())]
    assert roots.published() == NEW_PEM + OLD_PEM


def test_private_keys_are_not_published(settings: Any) -> None:
    settings.BERTH_LICENSE_ROOT_KEY = private_pem(NEW) + private_pem(OLD)

    assert license_roots().published() == NEW_PEM + OLD_PEM


def test_a_root_that_is_offline_signs_nothing(settings: Any) -> None:
    settings.BERTH_LICENSE_ROOT_KEY = NEW_PEM

    assert license_roots().signing is None
    assert license_roots().signing_id is None
    assert license_roots().published() == NEW_PEM


def test_no_root_is_no_mistake(settings: Any) -> None:
    settings.BERTH_LICENSE_ROOT_KEY = ""

    check_configuration()

    assert license_roots().signing is None
    assert license_roots().published() == ""


def _unusable() -> list[str]:
    curve = ec.generate_private_key(ec.SECP256R1())
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 -- too short
    locked = NEW.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hunter2"),
    ).decode()
    curve_pem = curve.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    broken = private_pem(NEW).replace("A", "B", 1)
    return ["hunter2", broken, private_pem(short), curve_pem, locked]


@pytest.mark.parametrize(
    "pem", _unusable(), ids=["no pem", "broken", "short", "curve", "locked"]
)
def test_an_invalid_key_is_reported_and_never_quoted(pem: str, settings: Any) -> None:
    settings.BERTH_LICENSE_ROOT_KEY = pem

    with pytest.raises(ImproperlyConfigured) as caught:
        check_configuration()

    assert "create_license_root" in str(caught.value)
    assert "MII" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_keys_are_never_printed(settings: Any) -> None:
    settings.BERTH_LICENSE_ROOT_KEY = private_pem(NEW)

    assert "PRIVATE" not in repr(license_roots())
    assert str(NEW.private_numbers().d) not in repr(license_roots())


def test_a_stored_key_comes_back() -> None:
    loaded = load_own_key(private_pem(NEW))

    assert loaded.private_numbers() == NEW.private_numbers()
