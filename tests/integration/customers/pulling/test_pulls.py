"""A customer's pulls: theirs alone, in words that tell nothing about the vendor."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from customers.models import Contact
from licenses.models import License
from registries.models import PRIVATE_REGISTRY_ID
from registries.models.outcomes import OUTCOMES
from teams.models import Membership
from tests.integration.customers.conftest import signed_in
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in as member_browser
from tests.support.rows.factories import (
    ContactFactory,
    LicenseFactory,
    PullCredentialFactory,
    PullEventFactory,
)

LONG_AGO = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = "images.acme.example"
    settings.BERTH_REGISTRY_HOST = "registry.acme.example"


@pytest.fixture
def license(anna: Contact) -> License:
    return LicenseFactory(
        customer=anna.customer, team=anna.team, application__slug="kestrel"
    )


def pull(license: License, **values: Any) -> None:
    PullEventFactory(
        team=license.team,
        license=license,
        application_slug=license.application.slug,
        **values,
    )


def page_of(contact: Contact, page: str = "pulls", **query: str) -> Any:
    return signed_in(contact).get(f"/c/{contact.customer_id}/{page}", query)


def rows_of(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))


def test_a_pull_is_shown_with_its_credential(anna: Contact, license: License) -> None:
    credential = PullCredentialFactory(license=license, name="Cluster 7")
    pull(
        license,
        repository="quay.io/acme/api",
        reference="v1",
        credential_id=credential.pk,
        credential_name="Cluster 7",
        count=1234,
    )
    pull(license, repository="worker", registry_id=PRIVATE_REGISTRY_ID)

    text = text_of(page_of(anna))

    image = "images.acme.example/proxy/kestrel/quay.io/acme/api:v1"
    assert f"{image} Cluster 7 Allowed 1,234" in text
    assert "registry.acme.example/kestrel/worker:v1.0.1 License ID Allowed" in text


def test_pulls_of_others_are_not_shown(anna: Contact, license: License) -> None:
    pull(LicenseFactory(team=anna.team), repository="quay.io/acme/theirs")
    PullEventFactory(team=anna.team, repository="quay.io/acme/own")

    for page in ("pulls", "pulls/csv"):
        assert "quay.io" not in page_of(anna, page).content.decode()


def test_what_is_not_shared_looks_like_what_is_not_connected(
    anna: Contact, license: License
) -> None:
    texts = []
    for reason in ("registry_not_shared", "registry_not_connected"):
        pull(license, repository="quay.io/acme/api", outcome=reason, last_at=LONG_AGO)
        texts.append((text_of(page_of(anna)), rows_of(page_of(anna, "pulls/csv"))))
        license.pulls.all().delete()

    assert texts[0] == texts[1]
    assert "Registry not available" in texts[0][0]
    assert "ask Acme to make the image available" in texts[0][0]


@pytest.mark.parametrize("outcome", sorted(set(OUTCOMES) - {"allowed"}))
def test_no_outcome_names_berths_credential_or_a_code(
    anna: Contact, license: License, outcome: str
) -> None:
    pull(license, outcome=outcome)

    text = text_of(page_of(anna))

    assert "{vendor}" not in text
    assert "Berth" not in text
    assert "_" not in text
    assert len(page_of(anna, outcome="refused").context["pulls"]) == 1


def test_filters_narrow_the_list(anna: Contact, license: License) -> None:
    yesterday = datetime.now(tz=UTC) - timedelta(days=1)
    pull(license, repository="a/one", outcome="registry_not_shared")
    pull(license, repository="a/two", last_at=yesterday)
    pull(license, repository="a/three", credential_id=license.pk, credential_name="CI")

    def shown(**query: str) -> set[str]:
        return {row.pull.repository for row in page_of(anna, **query).context["pulls"]}

    assert shown(outcome="registry_not_connected") == {"a/one"}
    assert shown(outcome="registry_not_shared") == set()
    assert shown(outcome="allowed") == {"a/two", "a/three"}
    assert shown(credential="license-id") == {"a/one", "a/two"}
    assert shown(credential="credential:CI") == {"a/three"}
    assert shown(credential="CI") == set()
    assert shown(application="kestrel") == {"a/one", "a/two", "a/three"}
    assert shown(application="other") == set()
    assert shown(day=f"{timezone.localdate(yesterday)}") == {"a/two"}
    assert "Enter a valid date" in text_of(page_of(anna, day="soon"))


def test_long_lists_have_pages_and_few_queries(
    anna: Contact, license: License, django_assert_max_num_queries: Any
) -> None:
    now = timezone.now()
    for number in range(30):
        pull(
            license,
            repository=f"a/{number:02}",
            last_at=now - timedelta(minutes=number),
        )
    browser = signed_in(anna)
    path = f"/c/{anna.customer_id}/pulls"
    browser.get(path)

    with django_assert_max_num_queries(10):
        first = browser.get(path)
    second = browser.get(path, {"page": first.context["page"].next})

    names = [row.pull.repository for row in first.context["pulls"]]
    names += [row.pull.repository for row in second.context["pulls"]]
    assert names == [f"a/{number:02}" for number in range(30)]


def test_csv_holds_what_is_filtered_and_no_formula(
    anna: Contact, license: License
) -> None:
    pull(
        license,
        repository="a/one",
        credential_id=license.pk,
        credential_name="=1+1",
        outcome="license_expired",
        last_at=LONG_AGO,
    )
    pull(license, repository="a/two")

    response = page_of(anna, "pulls/csv", outcome="refused")

    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert rows_of(response) == [
        {
            "last": "2026-05-04T03:02:01Z",
            "application": "kestrel",
            "image": "images.acme.example/proxy/kestrel/a/one:v1.0.1",
            "credential": "'=1+1",
            "outcome": "license_expired",
            "why": "License ended. Ask Acme to extend it. The same license and "
            "credentials then work again.",
            "pulls": "1",
        }
    ]
    wrong = page_of(anna, "pulls/csv", day="soon")
    assert wrong.headers["Location"] == f"/c/{anna.customer_id}/pulls?day=soon"


@pytest.mark.parametrize("page", ["pulls", "pulls/csv"])
def test_readers_and_members_see_them_and_others_do_not(
    anna: Contact,
    reader: Contact,
    viewer: Membership,
    outsider: Membership,
    page: str,
) -> None:
    stranger = ContactFactory(customer__team=anna.team, email="x@other.example")
    path = f"/c/{anna.customer_id}/{page}"
    viewed = f"/t/{anna.team.slug}/customers/{anna.customer_id}/view/{page}"

    assert signed_in(reader).get(path).status_code == 200
    assert member_browser(viewer).get(viewed).status_code == 200
    assert signed_in(stranger).get(path).status_code == 404
    assert member_browser(viewer).get(path).status_code == 404
    assert member_browser(outsider).get(viewed).status_code == 404
