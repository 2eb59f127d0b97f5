"""Whether a license is for an application, and has not expired."""

from __future__ import annotations

from datetime import UTC, datetime

from installer.license.file import License, LicenseError


def check_application(license: License, application: str | None) -> None:
    """Check that the license is for an application.

    Raises:
        LicenseError: it is for another one.
    """
    if application is not None and license.application != application:
        raise LicenseError(
            f"This license is for the application {license.application}, not for "
            f"{application}.",
            "other_application",
        )


def check_expiry(license: License) -> None:
    """Check that the license has not expired, by this machine's clock.

    Raises:
        LicenseError: it has.
    """
    if license.expires_at is not None and license.expires_at <= datetime.now(UTC):
        raise LicenseError(
            f"This license expired on {format_time(license.expires_at)}. Ask your "
            "vendor for a renewal, then run sync.",
            "expired",
        )


def check_pulls(license: License) -> None:
    """Check that images can be pulled with the license, as far as its file says.

    Raises:
        LicenseError: it has expired; the code is the portal's.
    """
    try:
        check_expiry(license)
    except LicenseError as error:
        raise LicenseError(
            f"{error} Until then it pulls no images.", "license_expired"
        ) from error


def format_time(time: datetime) -> str:
    """Return a time for people, with its zone."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
