"""Which license the Why page explains a pull of."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from licenses.license_id import generate_license_id
from licenses.models import License
from teams.models import Membership, Team
from tests.support.rows.factories import (
    ApiTokenFactory,
    LicenseFactory,
)
from tests.support.rows.world import rows_of

ADDRESS = "/t/acme/why"
IMAGE = "proxy/my-app/quay.io/my-org/api:v1"


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = "proxy.example.com"
    settings.BERTH_REGISTRY_HOST = "registry.example.com"


@pytest.fixture
def post(client: Client, viewer: Membership, team: Team) -> Any:
    client.force_login(viewer.user)

    def send(**form: str) -> Any:
        before = rows_of(team)
        response = client.post(ADDRESS, form)
        assert rows_of(team) == before
        return response

    return send


def test_a_license_id_finds_its_license_and_stays_out_of_the_url(
    post: Any, license: License
) -> None:
    response = post(
        who=f" {license.license_id.reveal()} ", image="quay.io/my-org/api:v1"
    )

    assert response.status_code == 302
    assert response.headers["Location"] == (
        f"/t/acme/why?image=quay.io/my-org/api:v1&license={license.pk}"
    )


def test_a_license_id_of_another_team_is_unknown(
    post: Any, license: License, other_team: Team
) -> None:
    theirs = LicenseFactory(team=other_team).license_id.reveal()
    nobodys = generate_license_id().reveal()

    pages = [post(who=who).content.decode() for who in (theirs, nobodys)]

    for text, license_id in zip(pages, (theirs, nobodys), strict=True):
        assert "No license of your team has this ID." in text
        assert license_id not in text


@pytest.mark.parametrize("who", ["northw", "it@northwind.example", "NORTHWIND"])
def test_a_customer_with_one_license_is_enough(
    post: Any, license: License, who: str
) -> None:
    response = post(who=who)

    assert response.headers["Location"] == f"/t/acme/why?license={license.pk}"


def test_one_of_several_licenses_is_chosen(
    post: Any, license: License, other_team: Team
) -> None:
    second = LicenseFactory(
        team=license.team, customer=license.customer, application=license.application
    )
    theirs = LicenseFactory(team=other_team, customer__name="Northwind too")

    text = post(who="northwind", image=IMAGE).content.decode()

    assert "Which license?" in text
    for candidate in (license, second):
        assert f"license={candidate.pk}" in text
    assert str(theirs.pk) not in text


def test_the_image_tells_which_license_is_meant(post: Any, license: License) -> None:
    second = LicenseFactory(team=license.team, customer=license.customer)
    slug = license.application.slug

    for image in (f"proxy/{slug}/quay.io/a/b:1", f"registry.example.com/{slug}/b"):
        location = post(who="northwind", image=image).headers["Location"]
        assert location.endswith(f"&license={license.pk}")
    for image in ("quay.io/a/b:1", "NO IMAGE"):
        text = post(who="northwind", image=image).content.decode()
        assert "Which license?" in text
        assert f"license={second.pk}" in text


def test_only_some_licenses_are_offered(post: Any, license: License) -> None:
    for _ in range(11):
        LicenseFactory(team=license.team, customer=license.customer)

    text = post(who="northwind").content.decode()

    assert text.count("list-group-item-action") == 10
    assert "Enter more of the name." in text


@pytest.mark.parametrize(
    ("who", "says"),
    [
        ("", "Enter a customer&#x27;s name"),
        ("nobody", "No customer of your team"),
        ("x\x00y", "No customer of your team|Null characters"),
        ("x" * 300, "at most 254 characters"),
    ],
)
def test_no_match_is_shown_beside_the_field(
    post: Any, license: License, who: str, says: str
) -> None:
    response = post(who=who, image=IMAGE)

    text = response.content.decode()
    assert response.status_code == 200
    assert any(message in text for message in says.split("|"))
    assert 'id="id_who_errors"' in text
    assert f'value="{IMAGE}"' in text


def test_the_same_license_can_be_asked_about_again(post: Any, license: License) -> None:
    response = post(license=str(license.pk), image="quay.io/new", application="")

    assert response.headers["Location"] == (
        f"/t/acme/why?license={license.pk}&image=quay.io/new"
    )


@pytest.mark.parametrize("kind", ["license", "holder"])
def test_subjects_of_other_teams_are_unknown(
    client: Client, owner: Membership, other_team: Team, kind: str
) -> None:
    client.force_login(owner.user)
    theirs = LicenseFactory(team=other_team)
    token = ApiTokenFactory(team=other_team)
    ids = {
        "license": [str(theirs.pk), str(uuid.uuid4()), "nonsense"],
        "holder": [
            f"license:{theirs.pk}",
            f"api-token:{token.pk}",
            f"user:{uuid.uuid4()}",
        ],
    }[kind]

    pages = [client.get(ADDRESS, {kind: pk, "image": IMAGE}) for pk in ids]

    assert [page.status_code for page in pages] == [404, 404, 404]
