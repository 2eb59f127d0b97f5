"""Pulls of the private registry on the pages of other rooms."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from licenses.models import Application
from teams.models import Membership, Team
from tests.integration.images.pages.private_images import (
    HOST,
    private_pull,
)
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    ExternalRegistryFactory,
    LicenseFactory,
    PullEventFactory,
)


@pytest.fixture(autouse=True)
def host(settings: Any) -> None:
    settings.BERTH_REGISTRY_HOST = HOST


def test_pulls_page_distinguishes_private_pulls(viewing: Client, team: Team) -> None:
    license = LicenseFactory(team=team, customer__name="Northwind")
    registry = ExternalRegistryFactory(team=team, slug="api", endpoint="quay.io")
    private_pull(team, license=license, repository="api/x", outcome="license_expired")
    private_pull(team, license=license, repository="y", reference="")
    PullEventFactory(team=team, license=license, repository="api/z", registry=registry)

    def shown(**query: str) -> set[str]:
        text = text_of(viewing.get("/t/acme/pulls", query))
        names = (f"{HOST}/my-app/api/x:v1", f"{HOST}/my-app/y ", " api/z:v1.0.1")
        return {name.strip() for name in names if name in text}

    x, y, z = f"{HOST}/my-app/api/x:v1", f"{HOST}/my-app/y", "api/z:v1.0.1"
    assert shown() == {x, y, z}
    assert shown(registry="private-registry") == {x, y}
    assert shown(registry="api") == {z}
    assert shown(search="api/") == {x, z}
    assert shown(search=f"{HOST}/my-app/api") == {x}
    assert shown(search=f"{HOST}/other-app/api") == set()
    assert shown(search=f"{HOST}/my-app/api:") == set()
    assert shown(search=f"{HOST}/my-app/api/x:v") == {x}
    content = viewing.get("/t/acme/pulls").content.decode()
    assert '<option value="private-registry">Private registry</option>' in content
    (why,) = re.findall(r'href="(/t/acme/why\?[^"]*)"', content)
    query = parse_qs(urlsplit(why.replace("&amp;", "&")).query)
    assert query == {"license": [str(license.pk)], "image": [x]}


def test_private_pulls_link_to_their_explanation(
    owner: Membership, team: Team, application: Application
) -> None:
    license = LicenseFactory(team=team, application=application, revoked=True)
    private_pull(team, license=license, reference="", outcome="license_revoked")
    client = signed_in(owner)
    pages = [
        client.get("/t/acme/pulls"),
        client.get("/t/acme/"),
        client.get(f"/t/acme/licenses/{license.pk}"),
        client.get(f"/t/acme/why?license={license.pk}"),
    ]

    for page in pages:
        text = text_of(page)
        assert f"{HOST}/my-app/api " in text
        (why,) = set(
            re.findall(r'"(/t/acme/why\?[^"]*image=[^"]*)"', str(page.content))
        )
        answer = client.get(why.replace("&amp;", "&"))
        assert "This pull is refused" in text_of(answer)
        assert "Is the registry connected" not in text_of(answer)


def test_dashboard_and_license_distinguish_private_pulls(
    owner: Membership, team: Team, application: Application
) -> None:
    license = LicenseFactory(team=team, application=application, revoked=True)
    outcome = "license_revoked"
    private_pull(team, license=license, outcome=outcome, count=2)
    PullEventFactory(
        team=team,
        license=license,
        repository="api",
        reference="v1",
        outcome=outcome,
        count=30,
    )
    client = signed_in(owner)

    dashboard = text_of(client.get("/t/acme/"))
    page = text_of(client.get(f"/t/acme/licenses/{license.pk}"))

    assert f" {HOST}/my-app/api 2 times" in dashboard
    assert " api 30 times" in dashboard
    assert re.search(rf" {HOST}/my-app/api:v1 [^@]{{,120}} 2 now", page)
    assert re.search(r" api:v1 [^@]{,120} 30 now", page)
