"""Fields that were there before ``expires_at`` was reserved get another name."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.db import connection

from licenses.models import License, LicenseField
from licenses.selectors import password_values
from portal.crypto.secrets import Secret
from teams.models import Team
from tests.support.factories import LicenseFactory, LicenseFieldFactory

migration = import_module("licenses.migrations.0006_reserved_field_name")


def migrate() -> None:
    migration.rename_fields(apps, None)


def allow_the_name() -> None:
    """Go back to before the migration, until the test ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE licenses_licensefield "
            "DROP CONSTRAINT licenses_licensefield_name_is_free"
        )


def test_a_field_and_its_values_are_renamed(team: Team) -> None:
    allow_the_name()
    license = LicenseFactory(team=team, field_values={"expires_at": "x", "plan": "y"})
    without = LicenseFactory(team=team, application=license.application)
    stranger = LicenseFactory(team=team, field_values={"plan": "z"})
    LicenseFieldFactory(application=license.application, name="expires_at")
    LicenseFieldFactory(application=license.application, name="expires_at_field")
    LicenseFieldFactory(application=license.application, name="plan")

    migrate()

    license.refresh_from_db()
    assert license.field_values == {"expires_at_field_2": "x", "plan": "y"}
    names = LicenseField.objects.order_by("name").values_list("name", flat=True)
    assert list(names) == ["expires_at_field", "expires_at_field_2", "plan"]
    # What the files say has changed, of this application only.
    sequences = dict(License.objects.values_list("pk", "sequence"))
    assert sequences == {license.pk: 2, without.pk: 2, stranger.pk: 1}


def test_passwords_move_along(team: Team) -> None:
    allow_the_name()
    license = LicenseFactory(
        team=team, secret_field_values=Secret('{"Expires_At": "a", "other": "b"}')
    )
    LicenseFieldFactory(
        application=license.application, name="Expires_At", type="Password"
    )

    migrate()

    license.refresh_from_db()
    assert password_values(license) == {"expires_at_field": "a", "other": "b"}
    assert LicenseField.objects.get().name == "expires_at_field"
