"""The demo's files, ports and secrets, and the environment of its processes."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from deploy.local.private_files import kept_secret, private_directory, write_private
from deploy.local.process import LocalStackError
from licenses.files.license_keys import generate_key
from portal.crypto.pem import private_pem
from registries.tokens.signing_keys import create_signing_material

PROJECT = Path(__file__).resolve().parent.parent.parent
REGISTRY_SERVICE = "berth-registry"
PORT_VARIABLES = {
    "portal": ("BERTH_DEMO_PORT", 8000),
    "private registry": ("BERTH_DEMO_REGISTRY_PORT", 5000),
    "sample registry": ("BERTH_DEMO_SAMPLE_PORT", 5001),
}


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """Paths and ports of one demo."""

    directory: Path
    portal_port: int
    registry_port: int
    sample_port: int

    @property
    def portal_host(self) -> str:
        return f"localhost:{self.portal_port}"

    @property
    def registry_host(self) -> str:
        return f"localhost:{self.registry_port}"

    @property
    def sample_host(self) -> str:
        return f"localhost:{self.sample_port}"

    @property
    def facts(self) -> Path:
        """The shell variables that describe the running demo."""
        return self.directory.with_name(f"{self.directory.name}.env")

    @property
    def secrets(self) -> Path:
        return private_directory(self.directory / "secrets")

    @property
    def logs(self) -> Path:
        return private_directory(self.directory / "log")

    @property
    def mail(self) -> Path:
        """Holds the mails, which are not sent."""
        return private_directory(self.directory / "mail")

    @property
    def guide(self) -> Path:
        """Holds the built guide."""
        return self.directory / "guide"

    @property
    def signing(self) -> Path:
        return self.secrets / "signing"

    @property
    def sample_password(self) -> Path:
        return self.secrets / "sample-password"

    @property
    def notification_token(self) -> Path:
        """The secret that the private registry and the portal share."""
        return self.secrets / "registry-notification-token"


def read_settings() -> DemoSettings:
    """Read the demo's settings; each has a default.

    Raises:
        LocalStackError: a port is not a number between 1 and 65535.
    """
    directory = Path(os.environ.get("BERTH_DEMO_DIR") or PROJECT / "var" / "demo")
    ports = [_port(name, default) for name, default in PORT_VARIABLES.values()]
    return DemoSettings(private_directory(directory.absolute()), *ports)


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise LocalStackError(f"{variable} is a port number, not {text!r}.")
    return int(text)


def portal_environment(
    settings: DemoSettings, *, database_url: str, redis_url: str
) -> dict[str, str]:
    """Return the environment of the portal, the edge and the worker.

    It names files of secrets, not secrets: an environment is easily read, logged and
    inherited.
    """
    files = _secret_files(settings, database_url=database_url, redis_url=redis_url)
    inherited = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {
        **inherited,
        **{f"{name}_FILE": str(path) for name, path in files.items()},
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PYTHONUNBUFFERED": "1",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "CSRF_TRUSTED_ORIGINS": f"http://{settings.portal_host}",
        "STATIC_ROOT": str(settings.directory / "static"),
        "BERTH_GUIDE_DIR": str(settings.guide),
        # Not every browser returns Secure cookies over plain HTTP, even on loopback.
        "SECURE_COOKIES": "false",
        # The path begins after the third slash.
        "EMAIL_URL": f"filemail:///{settings.mail}",
        "BERTH_PROXY_HOST": settings.portal_host,
        "BERTH_REGISTRY_HOST": settings.registry_host,
        "BERTH_REGISTRY_SERVICE": REGISTRY_SERVICE,
        "BERTH_REGISTRY_URL": f"http://127.0.0.1:{settings.registry_port}",
        # No cloud can reach it, but the portal then offers what needs it.
        "BERTH_ISSUER_URL": f"http://{settings.portal_host}",
        "BERTH_ALLOWED_PRIVATE_NETWORKS": "127.0.0.0/8,::1/128",
        "BERTH_INSECURE_REGISTRIES": f"{settings.sample_host},{settings.registry_host}",
    }


# No other variable of the caller may change what the demo does.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LOG_LEVEL", "TMPDIR")


def _secret_files(
    settings: DemoSettings, *, database_url: str, redis_url: str
) -> dict[str, Path]:
    directory = settings.secrets
    if not (settings.signing / "signing.pem").exists():
        write_signing_keys(settings.signing)
    kept_secret(directory / "secret-key", lambda: secrets.token_urlsafe(48))
    kept_secret(directory / "encryption-keys", lambda: f"demo:{_key()}")
    kept_secret(directory / "hmac-keys", lambda: f"demo:{_key()}")
    kept_secret(settings.notification_token, lambda: secrets.token_urlsafe(32))
    kept_secret(directory / "identity-keys.pem", _identity_key)
    kept_secret(directory / "license-root.key", lambda: private_pem(generate_key()))
    write_private(directory / "database-url", database_url)
    write_private(directory / "redis-url", redis_url)
    return {
        "SECRET_KEY": directory / "secret-key",
        "BERTH_ENCRYPTION_KEYS": directory / "encryption-keys",
        "BERTH_HMAC_KEYS": directory / "hmac-keys",
        "BERTH_TOKEN_SIGNING_KEY": settings.signing / "signing.pem",
        "BERTH_TOKEN_ROOTS": settings.signing / "root.crt",
        "BERTH_REGISTRY_NOTIFICATION_TOKEN": settings.notification_token,
        "BERTH_IDENTITY_KEYS": directory / "identity-keys.pem",
        "BERTH_LICENSE_ROOT_KEY": directory / "license-root.key",
        "DATABASE_URL": directory / "database-url",
        "REDIS_URL": directory / "redis-url",
    }


def write_signing_keys(directory: Path) -> None:
    """Write the files of ``manage.py create_signing_keys``, without starting Django."""
    material = create_signing_material()
    private_directory(directory)
    write_private(directory / "root.key", material.root_key_pem)
    write_private(directory / "root.crt", material.root_pem)
    write_private(directory / "signing.pem", material.signing_pem)


def _identity_key() -> str:
    return private_pem(ec.generate_private_key(ec.SECP256R1()))


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
