"""All that a team owns leaves as JSON Lines, and no secret with it."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from copy import copy
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from customers.models import VendorLook
from export.rows import EXPORTED, TEAM_COLUMNS
from images.models import ImageBlob, ImageManifest
from licenses.models import Customer
from portal.crypto.fields import EncryptedField
from portal.crypto.secrets import Secret
from portal.limits.waiting import waiting
from registries.models import PullEvent
from teams.models import ApiToken, Membership, Team, TeamOwned
from teams.permissions import Role
from tests.support.clients.api import ApiClient, code_of, member_client
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    LicenseFactory,
    LicenseTrafficFactory,
    MembershipFactory,
    PullEventFactory,
    VendorLookFactory,
    api_token_text,
)
from tests.support.rows.world import World, make_world, rows_of

EXPORT = "/t/acme/settings/export"
# Models of a team that are not exported, and why.
LEFT_OUT = {
    "teams.IdempotencyRecord": "answers, with secrets, kept for a day to be repeated",
    "registries.PullHour": "sums of what is exported as pulls",
}
# Columns that are not exported, and why. Encrypted ones never are.
WITHHELD = {
    "teams.Invitation.digest": "of a secret",
    "teams.ApiToken.digest": "of a secret",
    "licenses.License.license_id_digest": "of a secret",
    "licenses.License.previous_license_id_digest": "of a secret",
    "licenses.License.search_text": "repeats other columns",
    "licenses.Customer.search_text": "repeats other columns",
    "licenses.PullCredential.digest": "of a secret",
    "licenses.PullCredential.unused_alerted_at": "Berth's own bookkeeping",
    "licenses.TrustedIdentity.anchor": "repeats other columns",
    "licenses.Notice.key": "Berth's own bookkeeping",
    "customers.CustomerLink.digest": "of a secret",
    "registries.ExternalRegistry.suspect": "Berth's own bookkeeping",
    "registries.ExternalRegistry.failures": "Berth's own bookkeeping",
    "registries.ExternalRegistry.next_check_at": "Berth's own bookkeeping",
    "registries.ExternalRegistry.claimed_until": "Berth's own bookkeeping",
    "alerts.Alert.key": "Berth's own bookkeeping",
    "alerts.Delivery.due_at": "Berth's own bookkeeping",
    "alerts.Delivery.is_claimed": "Berth's own bookkeeping",
}
# Their digests are of what everybody may see.
PUBLIC_DIGESTS = (ImageBlob, ImageManifest, VendorLook)


@pytest.fixture
def world(team: Team) -> World:
    return make_world(team)


def lines_of(response: Any) -> list[dict[str, Any]]:
    """Return the objects of an export, after checking that it is complete."""
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    lines = [json.loads(line) for line in b"".join(response).decode().splitlines()]
    assert lines[0]["type"] == "export"
    assert lines[0]["format"] == 1
    assert lines[-1] == {"type": "end", "lines": len(lines) - 1}
    return lines[1:-1]


def owned_models() -> list[Any]:
    models: list[Any] = list(apps.get_models())
    return [model for model in models if issubclass(model, TeamOwned | AuditEvent)]


def test_every_model_of_a_team_is_exported_or_left_out_on_purpose() -> None:
    exported = [entry.model._meta.label for entry in EXPORTED]

    assert len(exported) == len(set(exported))
    assert {model._meta.label for model in owned_models()} == {*exported, *LEFT_OUT}


def test_every_column_is_exported_or_withheld_on_purpose() -> None:
    missing = set()
    for entry in EXPORTED:
        paths = set(entry.paths.values())
        for field in entry.model._meta.concrete_fields:
            if field.name == "team" or isinstance(field, EncryptedField):
                assert field.attname not in paths
            elif field.attname not in paths:
                missing.add(f"{entry.model._meta.label}.{field.attname}")
    of_team = {field.attname for field in Team._meta.concrete_fields}

    assert missing == set(WITHHELD)
    assert of_team == set(TEAM_COLUMNS)


def test_a_line_says_what_it_is() -> None:
    kinds = [entry.kind for entry in EXPORTED]

    assert len(kinds) == len(set(kinds))
    for entry in EXPORTED:
        assert "type" not in entry.paths
        assert entry.columns[0] == "id"


def test_all_rows_of_a_team_are_in_the_export(
    world: World, owner_api: ApiClient, other_team: Team
) -> None:
    make_world(other_team)
    VendorLookFactory(
        team=world.team, logo=b"\x89PNG", logo_type="image/png", logo_digest="abc"
    )
    kinds = {entry.model._meta.label: entry.kind for entry in EXPORTED}

    lines = lines_of(owner_api.get("/team/export"))

    stored = {
        (kinds[label], row["id"])
        for label, rows in rows_of(world.team).items()
        for row in rows
        if label not in LEFT_OUT
    }
    exported = [(line["type"], line["id"]) for line in lines]
    assert exported[0] == ("team", str(world.team.pk))
    assert len(exported) == len(set(exported))
    assert set(exported[1:]) == stored
    theirs = {row["id"] for rows in rows_of(other_team).values() for row in rows}
    assert not theirs & {line["id"] for line in lines}
    by_id = {line["id"]: line for line in lines}
    license = by_id[str(world.license.pk)]
    assert license["license_type"] == "paid"
    assert license["customer_id"] == str(world.license.customer_id)
    assert license["created_at"] == world.license.created_at.isoformat().replace(
        "+00:00", "Z"
    )
    member = Membership.objects.filter(team=world.team).select_related("user")[0]
    assert by_id[str(member.pk)]["email"] == member.user.email
    assert by_id[str(VendorLook.objects.get(team=world.team).pk)]["logo"] == "iVBORw=="


def test_what_is_referred_to_comes_first(world: World, owner_api: ApiClient) -> None:
    lines = lines_of(owner_api.get("/team/export"))

    known: set[str] = set()
    for line in lines:
        for name in ("customer_id", "application_id", "registry_id", "contact_id"):
            assert line.get(name) in {None, *known}
        known.add(line["id"])


def test_no_secret_is_in_the_export(world: World, owner_api: ApiClient) -> None:
    """Every column that can hold a secret has one, and so has every digest."""
    planted = plant_secrets(world.team)
    text = owner_api.text
    assert text is not None

    answer = b"".join(owner_api.get("/team/export")).decode()

    assert len(planted) >= 15
    assert [secret for secret in [*planted, text] if secret in answer] == []
    assert world.license.customer.name in answer


def plant_secrets(team: Team) -> list[str]:
    """Store a secret in each encrypted column and digest of a team's rows.

    Return them, and what the database holds of them.
    """
    planted = []
    for model in owned_models():
        columns = [
            field
            for field in model._meta.concrete_fields
            if isinstance(field, EncryptedField) or "digest" in field.name
            if model not in PUBLIC_DIGESTS
        ]
        for row in model._base_manager.filter(team_id=team.pk):
            for field in columns:
                if isinstance(field, EncryptedField):
                    planted.append(f"planted-{model.__name__}-{field.name}")
                    setattr(row, field.name, Secret(planted[-1]))
                    row.save(update_fields=[field.name])
            planted += rows_by_column(row, [field.column for field in columns])
    return planted


def rows_by_column(row: Any, columns: list[str]) -> list[str]:
    """Return what the database holds in columns of a row, unless it is nothing."""
    if not columns:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT {", ".join(columns)} FROM "{row._meta.db_table}" WHERE id = %s',  # noqa: S608 -- our names
            [row.pk],
        )
        return [str(value) for value in cursor.fetchone() if value]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OWNER])
def test_only_owners_export(role: Role, team: Team, world: World) -> None:
    member = MembershipFactory(team=team, role=role.value)
    browser = signed_in(member)
    before = rows_of(team)

    assert browser.get(EXPORT).status_code == 403
    assert browser.post(EXPORT).status_code == 403
    assert "Export" not in text_of(browser.get("/t/acme/settings"))
    response = member_client(member).get("/team/export")

    assert response.status_code == 403
    assert code_of(response) == "permission_denied"
    ApiToken.objects.filter(user=member.user).delete()
    assert rows_of(team) == before


def test_a_read_only_token_of_an_owner_exports_nothing(owner: Membership) -> None:
    text = api_token_text(team=owner.team, kind="user", user=owner.user, read_only=True)

    response = ApiClient(owner.team, text).get("/team/export")

    assert response.status_code == 403
    assert audited(owner.team) == []


def test_an_export_is_audited_and_asking_for_its_page_is_not(
    owner: Membership, owner_api: ApiClient
) -> None:
    browser = signed_in(owner)
    page = browser.get(EXPORT)
    assert "Left out" in text_of(page)
    assert EXPORT in browser.get("/t/acme/settings").content.decode()
    assert owner_api.request("head", "/team/export").status_code == 405
    assert audited(owner.team) == []

    response = browser.post(EXPORT)

    lines = lines_of(response)
    disposition = response.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="acme-20')
    assert disposition.endswith('.jsonl"')
    assert audited(owner.team) == [("team:exported", "Acme")]
    assert [line["tag"] for line in lines if line["type"] == "audit_event"] == [
        "team:exported"
    ]


def test_a_team_reads_few_exports_at_once(owner_api: ApiClient) -> None:
    with waiting(owner_api.team.pk), waiting(owner_api.team.pk):
        response = owner_api.get("/team/export")

    assert response.status_code == 429
    assert code_of(response) == "too_many_at_once"
    assert audited(owner_api.team) == []
    assert lines_of(owner_api.get("/team/export"))


def test_many_rows_are_read_in_batches_each_once(owner_api: ApiClient) -> None:
    license = LicenseFactory(team=owner_api.team)
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    customers = [Customer(team=owner_api.team, name=f"C{n}") for n in range(4001)]
    Customer.objects.bulk_create(customers)
    pull = PullEventFactory(team=owner_api.team, license=license, hour=hour)
    pulls = [copy(pull) for _ in range(2500)]
    for n, one in enumerate(pulls):
        one.pk, one.repository = uuid.uuid4(), f"my-org/{n}"
        one.hour = hour - timedelta(hours=n % 2)
    PullEvent.objects.bulk_create(pulls)
    others = LicenseFactory.create_batch(24, team=owner_api.team)
    for one in [license, *others]:
        LicenseTrafficFactory(license=one)

    with CaptureQueriesContext(connection) as statements:
        lines = lines_of(owner_api.get("/team/export"))

    counts = Counter(line["type"] for line in lines)
    assert counts["customer"] == 4001 + 25
    assert counts["pull"] == 2501
    assert counts["license_traffic"] == 25
    assert len({line["id"] for line in lines}) == len(lines)
    assert len(statements) < 2 * len(EXPORTED) + 20
