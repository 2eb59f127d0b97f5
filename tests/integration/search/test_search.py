"""One box finds what the team has, and nothing of another team."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from licenses.models import License
from licenses.services import revoke_license
from teams.actors import member_actor
from teams.models import Membership
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    CustomerFactory,
    ExternalRegistryFactory,
    ImageRepositoryFactory,
    LicenseFactory,
    PullEventFactory,
    pull_credential,
)

SEARCH = "/t/acme/search"
HTMX = {"HX-Request": "true"}
PROXY = "images.acme.example"
QUERIES = 16


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = PROXY
    settings.BERTH_REGISTRY_HOST = "registry.acme.example"


def make_everything(membership_team: Any, name: str) -> License:
    customer = CustomerFactory(
        team=membership_team,
        name=f"{name} Freight",
        email=f"it@{name}.example",
        custom_id=f"CRM-{name}",
    )
    license = LicenseFactory(
        team=membership_team,
        customer=customer,
        application__name=f"{name} Server",
        application__slug=f"{name}-server",
    )
    ExternalRegistryFactory(team=membership_team, endpoint=f"{name}.example.com")
    ImageRepositoryFactory(application=license.application, name=f"{name}-worker")
    pull_credential(license, name=f"{name} cluster")
    return license


@pytest.fixture
def license(owner: Membership) -> License:
    return make_everything(owner.team, "baltic")


@pytest.fixture(autouse=True)
def theirs(other_team: Any) -> License:
    """The same of another team."""
    return make_everything(other_team, "baltic2")


def found(client: Client, text: str) -> dict[str, list[str]]:
    response = client.get(SEARCH, {"q": text})
    assert response.status_code == 200
    return {
        group.name: [item.title for item in group.found]
        for group in response.context["groups"]
    }


@pytest.mark.parametrize(
    ("text", "group", "title"),
    [
        ("baltic fr", "Customers", "baltic Freight"),
        ("BALTIC FR", "Customers", "baltic Freight"),
        ("it@baltic", "Customers", "baltic Freight"),
        ("crm-baltic", "Customers", "baltic Freight"),
        ("it@baltic.ex", "Licenses", "baltic Freight: baltic Server"),
        ("baltic clu", "Pull credentials", "baltic cluster"),
        ("baltic-serv", "Applications", "baltic Server"),
        ("baltic.example.c", "Registries", "baltic.example.com"),
        ("baltic-work", "Images", "baltic-server/baltic-worker"),
        ("who did what", "Pages", "Audit log"),
        ("e-mail al", "Pages", "E-mail alerts"),
    ],
)
def test_part_of_a_name_finds_it(
    owner: Membership, license: License, text: str, group: str, title: str
) -> None:
    assert found(signed_in(owner), text)[group] == [title]


def test_ids_find_what_they_name(owner: Membership, license: License) -> None:
    browser = signed_in(owner)
    (credential,) = license.pull_credentials.all()

    by_license = found(browser, str(license.pk))
    by_customer = found(browser, str(license.customer_id))
    by_key = found(browser, f"{credential.key[:8]}…")

    assert by_license == {"Licenses": ["baltic Freight: baltic Server"]}
    assert by_customer == {"Customers": ["baltic Freight"]}
    assert by_key == {"Pull credentials": ["baltic cluster"]}


@pytest.mark.parametrize(
    "text",
    [
        f"docker pull {PROXY}/proxy/baltic-server/quay.io/acme/api:v1",
        "docker pull quay.io/acme/api:v1",
        "quay.io/acme/api",
    ],
)
def test_an_image_as_pasted_leads_to_its_pulls_and_reasons(
    owner: Membership, license: License, text: str
) -> None:
    response = signed_in(owner).get(SEARCH, {"q": text})

    (group,) = response.context["groups"]
    pulls, why = group.found
    assert pulls.url == "/t/acme/pulls?search=quay.io%2Facme%2Fapi"
    assert why.title == "Why does a pull of acme/api fail?"
    assert why.url.startswith("/t/acme/why?image=")


@pytest.mark.parametrize(
    "image",
    [
        "baltic.example.com/acme/api:v1",
        f"{PROXY}/proxy/baltic-server/baltic.example.com/acme/api:v1",
    ],
)
@pytest.mark.parametrize("command", ["", "docker pull "])
def test_a_customer_and_an_image_lead_to_the_explanation(
    owner: Membership, license: License, command: str, image: str
) -> None:
    browser = signed_in(owner)

    allowed = browser.get(SEARCH, {"q": f"BALTIC fr {command}{image}"})
    page = browser.get(explanation(allowed, "can pull"))
    revoke_license(actor=member_actor(owner), license=license, reason="unpaid")
    refused = browser.get(SEARCH, {"q": f"baltic {command}{image}"})
    refused_page = browser.get(explanation(refused, "cannot pull"))

    assert page.context["license"] == refused_page.context["license"] == license
    assert page.context["is_allowed"] is True
    assert refused_page.context["is_allowed"] is False


def explanation(response: Any, can: str) -> str:
    """Return the only link that explains a pull of acme/api."""
    (found,) = response.context["groups"][0].found
    assert found.title == f"Explain why baltic Freight {can} acme/api"
    url: str = found.url
    return url


def test_a_part_of_an_image_means_what_the_customer_has_pulled(
    owner: Membership, license: License, theirs: License
) -> None:
    for holder in (license, theirs):
        for name in ("acme/api", "acme/web"):
            PullEventFactory(
                team=holder.team,
                license=holder,
                application_slug=holder.application.slug,
                repository=f"baltic.example.com/{name}",
            )

    browser = signed_in(owner)

    assert found(browser, "baltic me/AP")["Pulls"] == [
        "Explain why baltic Freight can pull acme/api"
    ]
    assert "Pulls" not in found(browser, "baltic other")
    assert "Pulls" not in found(browser, "me/api")


def test_a_customer_with_several_licenses_is_asked_about_the_named_application(
    owner: Membership, license: License
) -> None:
    for slug in ("first", "second"):
        LicenseFactory(
            team=owner.team, customer=license.customer, application__slug=slug
        )
    browser = signed_in(owner)
    image = "baltic.example.com/acme/api"

    named = browser.get(SEARCH, {"q": f"baltic {PROXY}/proxy/second/{image}"})
    unnamed = browser.get(SEARCH, {"q": f"baltic {image}"})

    slugs = [
        [License.objects.get(pk=pk).application.slug for pk in licenses_in(response)]
        for response in (named, unnamed)
    ]
    assert slugs[0] == ["second"]
    assert sorted(slugs[1]) == ["baltic-server", "first", "second"]


def licenses_in(response: Any) -> list[str]:
    links = [urlsplit(item.url) for item in response.context["groups"][0].found]
    return [parse_qs(link.query)["license"][0] for link in links]


def test_another_teams_customer_and_an_image_explain_nothing(
    owner: Membership, theirs: License
) -> None:
    assert "Pulls" not in found(signed_in(owner), "baltic2 quay.io/acme/api")


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "box"])
@pytest.mark.parametrize("kind", ["license ID", "pull credential"])
def test_a_secret_finds_its_license_and_is_shown_nowhere(
    owner: Membership, license: License, headers: dict[str, str], kind: str
) -> None:
    secret = license.license_id.reveal()
    if kind == "pull credential":
        _, secret = pull_credential(license)

    response = signed_in(owner).post(SEARCH, {"q": secret}, headers=headers)

    assert response.status_code == 200
    assert "baltic Freight: baltic Server" in text_of(response)
    assert secret not in response.content.decode()


def test_a_secret_of_another_team_finds_nothing(
    owner: Membership, license: License, theirs: License
) -> None:
    secret = theirs.license_id.reveal()

    response = signed_in(owner).post(SEARCH, {"q": secret}, headers=HTMX)

    assert text_of(response).startswith("Nothing found.")


def test_other_texts_get_an_address(owner: Membership, license: License) -> None:
    response = signed_in(owner).post(SEARCH, {"q": " baltic fr "})

    assert response.status_code == 302
    assert response.headers["Location"] == f"{SEARCH}?q=baltic+fr"


@pytest.mark.parametrize("text", ["", "b"])
def test_one_character_finds_nothing(owner: Membership, text: str) -> None:
    response = signed_in(owner).post(SEARCH, {"q": text}, headers=HTMX)

    assert text_of(response) == "Type two characters or more."


def test_the_box_is_empty_on_a_page_with_a_text_of_its_own(
    owner: Membership, license: License
) -> None:
    add_contact = f"/t/acme/customers/{license.customer_id}/contacts/new"
    page = signed_in(owner).get(add_contact).content.decode()
    assert 'id="search-text" value=""' in page


def test_only_pages_that_one_may_open_are_found(
    owner: Membership, viewer: Membership
) -> None:
    assert "Pages" in found(signed_in(owner), "audit log")
    assert found(signed_in(viewer), "audit log") == {}


def test_more_than_six_lead_to_the_list(owner: Membership, license: License) -> None:
    for index in range(7):
        CustomerFactory(team=owner.team, name=f"Many {index}")

    response = signed_in(owner).get(SEARCH, {"q": "many"})

    (group,) = response.context["groups"]
    assert len(group.found) == 6
    assert group.more == "/t/acme/customers?search=many"


def test_it_asks_a_constant_number_of_queries(
    owner: Membership, license: License
) -> None:
    for index in range(5):
        make_everything(owner.team, f"baltic{index}x")
    browser = signed_in(owner)

    with CaptureQueriesContext(connection) as queries:
        found(browser, "baltic")

    assert len(queries) == QUERIES
