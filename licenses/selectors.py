from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from licenses.license_id import PURPOSE, is_license_id
from licenses.models import Customer, License, LicenseField, LicenseQuerySet
from portal.crypto.fields import lookup_keyring
from portal.crypto.secrets import Secret
from teams.models import Application

HIDDEN_VALUE = "********"


def customers_for_team(team_id: uuid.UUID) -> QuerySet[Customer]:
    return Customer.objects.for_team(team_id).order_by("-created_at", "-id")


def customers_with_licenses(team_id: uuid.UUID) -> QuerySet[Customer]:
    """Return customers, each with its number of licenses that pull now."""
    active = (
        License.objects.for_team(team_id)
        .active()
        .filter(customer=OuterRef("pk"))
        .order_by()
        .values("customer")
        .annotate(number=Count("*"))
        .values("number")
    )
    return customers_for_team(team_id).annotate(
        active_licenses=Coalesce(Subquery(active), 0)
    )


def licenses_for_team(team_id: uuid.UUID) -> LicenseQuerySet:
    return (
        License.objects.for_team(team_id)
        .select_related("customer", "application", "channel", "revoked_by")
        .order_by("-created_at", "-id")
    )


def license_fields_for_application(application: Application) -> QuerySet[LicenseField]:
    return (
        LicenseField.objects.for_team(application.team_id)
        .filter(application=application)
        .order_by("-created_at", "-id")
    )


def license_by_secret(presented: Secret) -> License | None:
    """Return the license with this ID, whatever its state and team, else None."""
    if not is_license_id(presented.reveal()):
        return None
    digests = lookup_keyring().candidates(presented.reveal(), purpose=PURPOSE)
    return _one(_licenses_to_decide_on().filter(license_id_digest__in=digests))


def license_by_id(license_pk: uuid.UUID) -> License | None:
    return _one(_licenses_to_decide_on().filter(pk=license_pk))


def _one(licenses: QuerySet[License]) -> License | None:
    # first() would have the row ordered before it is found by a unique key.
    return next(iter(licenses), None)


def _licenses_to_decide_on() -> QuerySet[License]:
    return License.objects.select_related("customer", "application")


def password_values(license: License) -> dict[str, str]:
    """Return the license's values of Password fields, decrypted."""
    if license.secret_field_values is None:
        return {}
    values: dict[str, str] = json.loads(license.secret_field_values.reveal())
    return values


def shown_field_values(license: License, *, reveal: bool) -> dict[str, object]:
    """Return the license's values; passwords are hidden unless ``reveal``."""
    passwords = password_values(license)
    if not reveal:
        passwords = dict.fromkeys(passwords, HIDDEN_VALUE)
    return {**license.field_values, **passwords}


def effective_field_values(license: License) -> list[tuple[LicenseField, object]]:
    """Return every field of the license's application with its value or default."""
    values: Mapping[str, object] = {**license.field_values, **password_values(license)}
    fields = license_fields_for_application(license.application).order_by("name")
    return [(field, values.get(field.name, field.default)) for field in fields]
