"""The facts of several questions at once, each with its own rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection

from registries.decision.credentials import PullCredential, Subject, SubjectKind
from registries.decision.facts import ApiTokenHolder, Facts, LicenseHolder, UserHolder
from registries.decision.proxied_name import WantedImage
from registries.decision.query import (
    STATEMENT,
    FactsQuery,
    Row,
    fetch_facts,
    read_facts,
    statement_parameters,
)
from teams.models import ApiToken
from tests.support.rows.vendor import Vendor, create_vendor
from tests.unit.registries.decision.conftest import license_of, presented, slug_of


def ask_together(*queries: FactsQuery) -> list[Facts]:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, statement_parameters(queries))
        return read_facts(queries, cursor.fetchall())


def test_a_round_trip_answers_each_question_for_itself(vendor: Vendor) -> None:
    other = create_vendor()
    other.connect("ghcr.io", "first")
    other.connect("ghcr.io", "second")
    api_token, text = other.api_token(ApiToken.Kind.USER)
    credentials: list[PullCredential] = [
        license_of(vendor),
        presented(text.reveal(), other.owner.email),
        None,
        Subject(SubjectKind.USER, other.owner.pk),
    ]
    images = [
        WantedImage(slug_of(vendor), "quay.io"),
        WantedImage(slug_of(other), "ghcr.io"),
    ]
    queries = [FactsQuery(credential, images) for credential in credentials]
    alone = FactsQuery(license_of(other))

    answers = ask_together(*queries, alone)

    holders = [facts.holder for facts in answers]
    assert [type(holder) for holder in holders] == [
        *(LicenseHolder, ApiTokenHolder, type(None), UserHolder, LicenseHolder)
    ]
    assert isinstance(holders[1], ApiTokenHolder)
    assert holders[1].id == api_token.pk
    slugs = [
        [[registry.slug for registry in image.registries] for image in facts.images]
        for facts in answers
    ]
    theirs = ["first", "second"]
    assert slugs == [[["quay.io"], []], [[], theirs], [[], []], [[], theirs], []]
    again = [fetch_facts(credential, images).images for credential in credentials]
    assert [facts.images for facts in answers[:4]] == again


@pytest.mark.parametrize("name", ["", "ü", "\ud800", "a\x00b", "\n", "a" * 300])
def test_a_name_that_nothing_can_have_is_found_nowhere(
    vendor: Vendor, name: str
) -> None:
    images = [WantedImage(name, "quay.io"), WantedImage(slug_of(vendor), name)]

    facts = fetch_facts(license_of(vendor), images)

    assert facts.images[0].team_id is None
    assert facts.images[1].team_id == vendor.team.pk
    assert [image.registries for image in facts.images] == [(), ()]


def test_secrets_are_left_out_where_nobody_needs_them(vendor: Vendor) -> None:
    """A token may name twenty images, each of which fifty registries may have."""
    vendor.connect("ghcr.io", "ghcr", ("name", "x" * 10_000))
    wanted = [WantedImage(slug_of(vendor), "ghcr.io")]
    license = license_of(vendor)

    full, lean = ask_together(
        FactsQuery(license, wanted), FactsQuery(license, wanted, with_secrets=False)
    )

    [credential] = [item.credential for item in full.images[0].registries]
    [without] = [item.credential for item in lean.images[0].registries]
    assert credential.secret.reveal() == "x" * 10_000
    assert without == replace(
        credential,
        username=replace(credential.username, stored=""),
        secret=replace(credential.secret, stored=""),
    )


def test_psycopg_remembers_how_to_send_the_statement() -> None:
    assert len(STATEMENT) <= 4096
    assert "--" not in STATEMENT


def test_rows_have_the_columns_of_the_statement(vendor: Vendor) -> None:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, statement_parameters([FactsQuery(None)]))
        columns = [column.name for column in cursor.description]

    names = [name.rpartition("_")[2] for name in Row._fields]
    assert [column.rpartition("_")[2] for column in columns] == names
