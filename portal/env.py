"""Typed reading of settings from the environment.

A secret comes from ``NAME`` or from the file that ``NAME_FILE`` names, and never has
a default.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

env = environ.FileAwareEnv()


def secret(name: str) -> str:
    """Return a secret from ``NAME`` or ``NAME_FILE``.

    Raises:
        ImproperlyConfigured: neither is set, or the file cannot be read.
    """
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE: cannot read {path}: {error.strerror}"
            ) from error
    else:
        value = os.environ.get(name, "").strip()
    if not value:
        raise ImproperlyConfigured(
            f"Set {name}, or {name}_FILE to a file that contains it."
        )
    return value


def secret_if_set(name: str) -> str:
    """Return a secret that only some processes need, or "" if it is not set.

    A missing file is accepted here, because the command that creates it also reads
    these settings. A process that needs the secret refuses to start without it.
    """
    path = os.environ.get(f"{name}_FILE")
    if (path and Path(path).exists()) or os.environ.get(name):
        return secret(name)
    return ""


def boolean(name: str, *, default: bool) -> bool:
    """Read ``true`` or ``false``; any other value is an error."""
    text = os.environ.get(name, "").strip().lower()
    if text not in {"", "true", "false"}:
        raise ImproperlyConfigured(f"{name} must be true or false, not {text!r}.")
    return text == "true" if text else default


def one_of(name: str, default: str, *others: str) -> str:
    """Read one of some words; any other is an error."""
    text = os.environ.get(name, "").strip() or default
    if text not in (default, *others):
        words = " or ".join((default, *others))
        raise ImproperlyConfigured(f"{name} must be {words}, not {text!r}.")
    return text


def different(**values: str) -> None:
    """Check that the settings have different values.

    Raises:
        ImproperlyConfigured: two values are equal.
    """
    if len(set(values.values())) < len(values):
        raise ImproperlyConfigured(
            f"Give {' and '.join(values)} different values: a token for one must not "
            "be valid for the other."
        )


def networks(name: str) -> list[IPNetwork]:
    """Read a comma-separated list of CIDR networks."""
    try:
        return [
            ipaddress.ip_network(text.strip()) for text in env.list(name, default=[])
        ]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error
