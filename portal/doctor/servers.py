"""PostgreSQL, its clock, and Redis, as this process reaches them."""

from __future__ import annotations

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from portal.database.deadlines import waiting_at_most
from portal.doctor.findings import Finding, failed, ok, skipped
from portal.health import redis_answers, schema_is_current

SECONDS = 10
OLDEST_SERVER = 150_000
# As much as tokens allow between the hosts of one installation, less what they need.
CLOCK_SECONDS = 5


def database() -> Finding:
    """Check that PostgreSQL answers, is new enough, and has this version's schema."""
    check = "database"
    try:
        with waiting_at_most(SECONDS), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version_num')::int")
            (version,) = cursor.fetchone()
            is_current = schema_is_current()
    except Error as error:
        # Not its text, which may name the user.
        return failed(
            check,
            f"It does not answer ({type(error).__name__}).",
            "Check DATABASE_URL, that the server runs, and that it accepts this host.",
        )
    number = f"PostgreSQL {version // 10_000}.{version % 10_000}"
    if version < OLDEST_SERVER:
        return failed(check, f"{number} is too old.", "Use PostgreSQL 15 or later.")
    if not is_current:
        return failed(
            check, f"{number} lacks migrations.", "Run manage.py migrate, once."
        )
    return ok(check, f"{number} with the schema of this version.")


def clock() -> Finding:
    """Compare this host's clock with the database's."""
    check = "clock"
    try:
        with waiting_at_most(SECONDS), connection.cursor() as cursor:
            before = timezone.now()
            cursor.execute("SELECT clock_timestamp()")
            (theirs,) = cursor.fetchone()
            after = timezone.now()
    except Error:
        return skipped(check, "Not compared: the database does not answer.")
    ours = before + (after - before) / 2
    difference = abs((theirs - ours).total_seconds())
    if difference > CLOCK_SECONDS:
        return failed(
            check,
            f"It differs from the database's by {difference:.0f} s.",
            "Synchronize the clocks of all hosts by NTP: tokens and expiry depend on "
            "them.",
        )
    return ok(check, f"It differs from the database's by {difference:.1f} s.")


def redis() -> Finding:
    """Check that Redis answers."""
    check = "Redis"
    if redis_answers():
        return ok(check, "It answers.")
    return failed(
        check,
        "It does not answer. Pulls go on, but each process counts its own limits, and "
        "no checks or alerts are sent.",
        "Check REDIS_URL, that the server runs, and that it accepts this host.",
    )


def host_settings() -> Finding:
    """Check the settings that every installation needs and none should have."""
    check = "settings"
    missing = [
        name
        for name in ("ALLOWED_HOSTS", "BERTH_PORTAL_URL", "BERTH_PROXY_HOST")
        if not getattr(settings, name)
    ]
    if settings.DEBUG:
        text = "DEBUG is on: pages of errors show settings and code."
        return failed(check, text, "Set DEBUG=false.")
    if missing:
        return failed(check, f"Not set: {', '.join(missing)}.", "Set them.")
    if "*" in settings.ALLOWED_HOSTS:
        text = "ALLOWED_HOSTS contains *, so links in mails may lead anywhere."
        return failed(check, text, "List the host names.")
    return ok(check, f"For {', '.join(settings.ALLOWED_HOSTS)}.")
