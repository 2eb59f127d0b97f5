from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.db import connection
from django.db.models import Prefetch, Q, QuerySet, Value
from django.db.models.functions import Lower
from django.utils import timezone

from audit.selectors import audit_events_for_team
from audit.tags import EventTag
from licenses.license_id import PURPOSE, is_license_id
from licenses.models import (
    EXPIRES_SOON,
    Application,
    Channel,
    CredentialState,
    Customer,
    License,
    LicenseField,
    LicenseQuerySet,
    PullCredential,
    PullCredentialQuerySet,
)
from licenses.pull_credential import PURPOSE as PULL_CREDENTIAL
from licenses.pull_credential import pull_credential_key
from portal.crypto.fields import lookup_keyring
from portal.crypto.secrets import Secret

HIDDEN_VALUE = "********"
CHANNELS_SHOWN = 1000
ENDED_SHOWN = 10
# The index of search texts knows three characters at a time, and where words begin.
TRIGRAM = 3
BEFORE_WORDS = ' \n"@-.'
# Matches of a search that are looked up by their IDs.
FEW = 1000
_HANDED_OVER = (
    EventTag.LICENSE_FILE_DOWNLOADED,
    EventTag.LICENSE_ID_REVEALED,
    EventTag.LICENSE_ID_REPLACED,
)


def customers_for_team(team_id: uuid.UUID) -> QuerySet[Customer]:
    return (
        Customer.objects.for_team(team_id)
        .defer("search_text")
        .order_by("-created_at", "-id")
    )


def customers_with_licenses(team_id: uuid.UUID) -> QuerySet[Customer]:
    """Return customers with ``active_licenses``, the number that can pull now."""
    active = License.objects.for_team(team_id).active()
    return customers_for_team(team_id).annotate(
        active_licenses=active.count_per("customer")
    )


def licenses_for_team(team_id: uuid.UUID) -> LicenseQuerySet:
    return (
        License.objects.for_team(team_id)
        .select_related("customer", "application", "channel", "revoked_by")
        .defer("search_text", "customer__search_text")
        .order_by("-created_at", "-id")
    )


@dataclass(frozen=True, slots=True)
class LicenseNumbers:
    """How many licenses can pull, expire within 30 days, and are new or over."""

    active: int
    expiring: int
    issued: int
    expired: int


# Each count reads a part of an index: a scan of all licenses takes four times as long.
_NUMBERS = """
WITH kept AS NOT MATERIALIZED (
    SELECT expires_at FROM licenses_license
    WHERE team_id = %(team)s AND revoked_at IS NULL
)
SELECT (SELECT count(*) FROM kept WHERE expires_at IS NULL)
           + (SELECT count(*) FROM kept WHERE expires_at > %(now)s),
       (SELECT count(*) FROM kept
        WHERE expires_at > %(now)s AND expires_at <= %(soon)s),
       (SELECT count(*) FROM licenses_license
        WHERE team_id = %(team)s AND created_at > %(month)s),
       (SELECT count(*) FROM kept WHERE expires_at > %(week)s AND expires_at <= %(now)s)
"""


def license_numbers(team_id: uuid.UUID) -> LicenseNumbers:
    """Count a team's licenses, by one query.

    ``issued`` are those of 30 days, ``expired`` those of 7 days that were not revoked.
    """
    now = timezone.now()
    values: dict[str, Any] = {
        "team": team_id,
        "now": now,
        "soon": now + EXPIRES_SOON,
        "month": now - timedelta(days=30),
        "week": now - timedelta(days=7),
    }
    with connection.cursor() as cursor:
        cursor.execute(_NUMBERS, values)
        return LicenseNumbers(*cursor.fetchone())


def is_kept_for_the_record(license: License) -> bool:
    """Return whether somebody had a secret of the license, or tried to pull with it."""
    handed_over = audit_events_for_team(license.team_id).filter(
        subject_id=license.pk, tag__in=_HANDED_OVER
    )
    return (
        license.pull_credentials.exists()
        or license.pulls.exists()
        or license.traffic.exists()
        or handed_over.exists()
    )


def channels_by_application(
    team_id: uuid.UUID,
) -> list[tuple[Application, list[Channel]]]:
    """Return the team's applications with their channels, by name."""
    channels = (
        Channel.objects.for_team(team_id)
        .select_related("application")
        .order_by("application__name", "application_id", "-is_default", "name")
    )
    return [
        (application, list(own))
        for application, own in groupby(
            channels[:CHANNELS_SHOWN], key=attrgetter("application")
        )
    ]


def is_secret(text: str) -> bool:
    """Return whether a text may be a secret, which is never shown or in an address."""
    return is_license_id(text) or text.startswith("berth_")


def contains_text(text: str) -> Q:
    """Match rows whose search text contains a text, ignoring case.

    A text of one or two characters has to begin a word, which the index knows.
    """
    # The database lower-cases both, so that both follow the same rules.
    if len(text) >= TRIGRAM:
        return Q(search_text__contains=Lower(Value(text)))
    begins = Q(search_text__startswith=Lower(Value(text)))
    for before in BEFORE_WORDS:
        begins |= Q(search_text__contains=Lower(Value(f"{before}{text}")))
    return begins


def licenses_matching(
    licenses: LicenseQuerySet, team_id: uuid.UUID, text: str
) -> LicenseQuerySet:
    """Keep a team's licenses whose customer or field values contain a text."""
    customers = Customer.objects.for_team(team_id).filter(contains_text(text))
    with_value = License.objects.for_team(team_id).filter(contains_text(text))
    return licenses.filter(
        Q(customer__in=_few(customers.values("pk")))
        | Q(pk__in=_few(with_value.values("pk")))
    )


def _few(ids: QuerySet[Any, Any]) -> Any:
    """Return IDs that are few, or the query again.

    Indexes find few, which the database cannot know of a query. Of many, enough are
    soon met in whatever order.
    """
    few = list(ids.order_by().values_list("pk", flat=True)[: FEW + 1])
    return few if len(few) <= FEW else ids


def licenses_with_id(team_id: uuid.UUID, presented: Secret) -> LicenseQuerySet:
    """Return the team's license with this secret, if there is one.

    That is its license ID, the one before, or the text of a pull credential.
    """
    licenses = licenses_for_team(team_id)
    credentials = PullCredential.objects.for_team(team_id).filter(
        digest__in=_credential_digests(presented)
    )
    return licenses.filter(_has_id(presented) | Q(pk__in=credentials.values("license")))


def _has_id(presented: Secret) -> Q:
    digests = _digests(presented)
    return Q(license_id_digest__in=digests) | Q(previous_license_id_digest__in=digests)


def _digests(presented: Secret) -> list[str]:
    """Return the digests that a license with this ID may be stored under."""
    if not is_license_id(presented.reveal()):
        return []
    return lookup_keyring().candidates(presented.reveal(), purpose=PURPOSE)


def _credential_digests(presented: Secret) -> list[str]:
    """Return the digests that a pull credential with this text may have."""
    text = presented.reveal()
    if pull_credential_key(text) is None:
        return []
    return lookup_keyring().candidates(text, purpose=PULL_CREDENTIAL)


def license_fields_for_application(application: Application) -> QuerySet[LicenseField]:
    return (
        LicenseField.objects.for_team(application.team_id)
        .filter(application=application)
        .order_by("-created_at", "-id")
    )


def licenses_with_value(field: LicenseField) -> int:
    """Return how many licenses have their own value for a field.

    For a Password, this is an upper bound: the number of licenses with any password.
    """
    licenses = License.objects.for_team(field.team_id).filter(
        application_id=field.application_id
    )
    if field.type == LicenseField.Type.PASSWORD:
        return licenses.filter(secret_field_values__isnull=False).count()
    return licenses.filter(field_values__has_key=field.name).count()


def license_by_secret(presented: Secret) -> License | None:
    """Return the license with this ID, now or before, in any state and team."""
    licenses = License.objects.select_related("customer", "application").defer(
        "search_text", "customer__search_text"
    )
    return licenses.filter(_has_id(presented)).first()


def held_license(team_id: uuid.UUID, license_id: uuid.UUID) -> License:
    """Return the license of a holder who has signed in."""
    return licenses_for_team(team_id).select_related("team").get(pk=license_id)


def pull_credential_by_secret(presented: Secret) -> PullCredential | None:
    """Return the pull credential with this text, in any state and team."""
    rows = PullCredential.objects.select_related(
        "team", "license__customer", "license__application"
    )
    return rows.filter(digest__in=_credential_digests(presented)).first()


def pull_credentials_of_team(team_id: uuid.UUID) -> PullCredentialQuerySet:
    """Return all pull credentials of a team, the latest first."""
    rows: PullCredentialQuerySet = PullCredential.objects.for_team(team_id)
    return rows.select_related(
        "license__customer", "license__application", "replaced_by"
    ).order_by("-created_at", "-id")


def pull_credentials_of_license(license: License) -> PullCredentialQuerySet:
    """Return a license's pull credentials, the latest first."""
    return pull_credentials_of_team(license.team_id).filter(license=license)


def secret_before(credential: PullCredential) -> PullCredential | None:
    """Return the secret that this one replaced, if that can still be used."""
    rows: PullCredentialQuerySet = PullCredential.objects.for_team(credential.team_id)
    return rows.usable().filter(replaced_by=credential).first()


def pull_credentials_to_show(license: License) -> list[PullCredential]:
    """Return a license's pull credentials for a page, those that can be used first.

    All that can be used, or rotated, and the latest of those that have ended.
    """
    # Customer and application are those of the license, which has been read.
    own = license.pull_credentials.select_related("replaced_by")
    return _to_show(own.order_by("-created_at", "-id"))


def customers_pull_credentials_to_show(customer: Customer) -> list[PullCredential]:
    """Return those of all licenses of a customer, as for one license."""
    rows = pull_credentials_of_team(customer.team_id)
    return _to_show(rows.filter(license__customer=customer))


def _to_show(rows: PullCredentialQuerySet) -> list[PullCredential]:
    is_over = Q(revoked_at__isnull=False) | Q(
        replaced_by__isnull=False, expires_at__lte=timezone.now()
    )
    order = list(CredentialState)
    going_on = sorted(rows.exclude(is_over), key=lambda row: order.index(row.state()))
    return [*going_on, *rows.filter(is_over)[:ENDED_SHOWN]]


def password_values(license: License) -> dict[str, str]:
    """Return the license's values of Password fields, decrypted."""
    if license.secret_field_values is None:
        return {}
    values: dict[str, str] = json.loads(license.secret_field_values.reveal())
    return values


def shown_field_values(license: License, *, reveal: bool) -> dict[str, object]:
    """Return the license's values, with passwords hidden unless ``reveal``."""
    passwords = password_values(license)
    if not reveal:
        passwords = dict.fromkeys(passwords, HIDDEN_VALUE)
    return {**license.field_values, **passwords}


def effective_field_values(license: License) -> list[tuple[LicenseField, object]]:
    """Return every field of the license's application with its value or default."""
    values: Mapping[str, object] = {**license.field_values, **password_values(license)}
    fields = license_fields_for_application(license.application).order_by("name")
    return [(field, values.get(field.name, field.default)) for field in fields]


def applications_for_team(team_id: uuid.UUID) -> QuerySet[Application]:
    """Return the team's applications, without archived ones."""
    return all_applications_of_team(team_id).filter(archived_at__isnull=True)


def all_applications_of_team(team_id: uuid.UUID) -> QuerySet[Application]:
    return Application.objects.for_team(team_id).order_by("-created_at", "-id")


def applications_with_licenses(team_id: uuid.UUID) -> QuerySet[Application]:
    """Return applications, archived ones too, with channels and numbers of licenses.

    ``all_licenses`` leaves out archived ones, ``active_licenses`` revoked and expired
    ones too.
    """
    of_team = License.objects.for_team(team_id).unarchived()
    channels = Channel.objects.for_team(team_id).order_by("-is_default", "name", "pk")
    return (
        all_applications_of_team(team_id)
        .annotate(
            # Both are subqueries: next to a join, one would run for every license.
            all_licenses=of_team.count_per("application"),
            active_licenses=of_team.active().count_per("application"),
        )
        .prefetch_related(Prefetch("channels", queryset=channels))
    )


def channels_with_licenses(application: Application) -> QuerySet[Channel]:
    """Return an application's channels, the default first, with ``all_licenses``.

    Licenses in every state count, because each prevents deleting its channel.
    """
    of_team = License.objects.for_team(application.team_id)
    return (
        Channel.objects.for_team(application.team_id)
        .filter(application=application)
        .select_related("application")
        .annotate(all_licenses=of_team.count_per("channel"))
        .order_by("-is_default", "name", "pk")
    )


def channels_for_application(application: Application) -> QuerySet[Channel]:
    return (
        Channel.objects.for_team(application.team_id)
        .filter(application=application)
        .order_by("-created_at", "-id")
    )


def default_channel(application: Application) -> Channel:
    """Return the channel of licenses that name none."""
    return channels_for_application(application).get(is_default=True)


def channels_of_applications(
    team_id: uuid.UUID, applications: Iterable[uuid.UUID]
) -> QuerySet[Channel]:
    """Return the channels of a team's applications, by name, the default first."""
    return (
        Channel.objects.for_team(team_id)
        .filter(application__in=list(applications))
        .select_related("application")
        .order_by("application__name", "application_id", "-is_default", "name")
    )
