"""Which registries a license holder's cluster may rename images of."""

from __future__ import annotations

from typing import Any

import pytest

from licenses.models import License
from oci.reference import parse_reference
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.proxied_name import parse_proxied_name
from registries.decision.pull import AllowedPull, authorize_pull
from teams.models import Team
from tests.support.clients.license_holder import PROXY, LicenseClient
from tests.support.rows.factories import ExternalRegistryFactory, RegistryShareFactory


def shown(holder: LicenseClient) -> Any:
    response = holder.get("/registries")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    return response.json()["registries"]


def test_registries_are_shown_as_pulls_try_them(
    team: Team, holder: LicenseClient
) -> None:
    ExternalRegistryFactory(
        team=team, endpoint="quay.io", repository_patterns=["my-org/*", "b/api"]
    )
    ExternalRegistryFactory(team=team, endpoint="index.docker.io", slug="hub")
    ExternalRegistryFactory(team=team, endpoint="localhost:5001", slug="sample")

    assert shown(holder) == [
        {
            "host": "quay.io",
            "upstream": "quay.io",
            "repositories": ["my-org/*", "b/api"],
        },
        {"host": "docker.io", "upstream": "docker.io", "repositories": ["*"]},
        {"host": "localhost:5001", "upstream": "sample", "repositories": ["*"]},
    ]


def test_what_is_not_shared_is_not_shown(
    team: Team, license: License, holder: LicenseClient, other_team: Team
) -> None:
    ExternalRegistryFactory(team=other_team, endpoint="quay.io")
    RegistryShareFactory(registry__team=team, registry__endpoint="secret.example.com")
    RegistryShareFactory(
        registry__team=team,
        registry__endpoint="shared.example.com",
        application=license.application,
    )

    assert [item["host"] for item in shown(holder)] == ["shared.example.com"]


def test_each_name_leads_to_its_registry(
    team: Team, license: License, holder: LicenseClient
) -> None:
    # Two of one host, and one whose host is the slug of another.
    first = ExternalRegistryFactory(team=team, endpoint="quay.io", slug="one")
    second = ExternalRegistryFactory(team=team, endpoint="quay.io", slug="two")
    named = ExternalRegistryFactory(team=team, endpoint="a.example.com", slug="ghcr.io")
    hidden = ExternalRegistryFactory(team=team, endpoint="ghcr.io", slug="other")

    registries = shown(holder)

    upstreams = [item["upstream"] for item in registries]
    assert upstreams == ["one", "two", "a.example.com", "other"]
    served = []
    for upstream in upstreams:
        image = f"{PROXY}/proxy/my-app/{upstream}/my-org/api"
        wanted = parse_proxied_name(parse_reference(image).repository)
        decision = authorize_pull(
            Subject(SubjectKind.LICENSE, license.pk),
            wanted.application,
            wanted.upstream,
            wanted.repository,
        )
        assert isinstance(decision, AllowedPull)
        served.append(decision.registry.id)
    assert served == [first.pk, second.pk, named.pk, hidden.pk]


def test_without_a_proxy_it_says_what_the_operator_must_set(
    settings: Any, holder: LicenseClient
) -> None:
    settings.BERTH_PROXY_HOST = ""

    response = holder.get("/registries")

    assert response.status_code == 409
    assert response.json()["code"] == "hosts_not_set_up"


@pytest.mark.parametrize("number", [1, 20])
def test_queries_of_registries(
    number: int, team: Team, holder: LicenseClient, django_assert_num_queries: Any
) -> None:
    for count in range(number):
        ExternalRegistryFactory(team=team, endpoint=f"r{count}.example.com")

    # The holder, the license, the registries, their applications and credentials.
    with django_assert_num_queries(5):
        assert len(shown(holder)) == number
