from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from licenses.models import Customer, License
from registries.models import ExternalRegistry
from teams.models import Membership, Team
from tests.support.rows.factories import (
    ApiTokenFactory,
    ApplicationFactory,
    ExternalRegistryFactory,
    ImageRepositoryFactory,
    ImageTagFactory,
    PullEventFactory,
)
from tests.support.rows.world import rows_of

ADDRESS = "/t/acme/why"
IMAGE = "proxy/my-app/quay.io/my-org/api:v1"
ALLOWED = "This pull would be allowed now"
REFUSED = "This pull is refused"


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = "proxy.example.com"
    settings.BERTH_REGISTRY_HOST = "registry.example.com"


@pytest.fixture
def registry(team: Team) -> ExternalRegistry:
    made: ExternalRegistry = ExternalRegistryFactory(
        team=team, endpoint="quay.io", repository_patterns=["my-org/*"]
    )
    return made


@pytest.fixture
def ask(client: Client, owner: Membership, team: Team, license: License) -> Any:
    """Ask as the owner, checking that nothing changes."""
    client.force_login(owner.user)

    def get(image: str = IMAGE, **query: str) -> str:
        before = rows_of(team)
        if "holder" not in query:
            query = {"license": str(license.pk), **query}
        response = client.get(ADDRESS, {"image": image, **query})
        assert response.status_code == 200
        assert rows_of(team) == before
        return response.content.decode()

    return get


@pytest.mark.parametrize(
    "image",
    [
        "proxy.example.com/proxy/my-app/quay.io/my-org/api:v1",
        "docker pull proxy.example.com/proxy/my-app/quay.io/my-org/api",
        "quay.io/my-org/api:v1",
        IMAGE,
    ],
)
def test_an_allowed_pull(ask: Any, registry: Any, image: str) -> None:
    text = ask(image)

    assert ALLOWED in text
    assert "This is a license of Northwind." in text
    assert "The license is for My app." in text
    assert "The license is not revoked and does not expire." in text
    assert "quay.io is connected and shared." in text
    assert "my-org/api is allowed." in text
    assert REFUSED not in text


def test_a_failed_check_of_the_registry_is_shown(ask: Any, registry: Any) -> None:
    ExternalRegistry.objects.update(health="rejected")

    text = ask()

    assert "Berth allows this pull, but the registry may reject it" in text
    assert "Does the registry accept Berth's credential?" in text
    assert "credential failed" in text


def test_the_private_registry_without_that_image(ask: Any) -> None:
    for name in ("api:v1", "api", f"api@sha256:{'0' * 64}"):
        text = ask(f"registry.example.com/my-app/{name}")

        assert ALLOWED not in text
        assert "Berth allows this pull, but the image does not exist" in text
        assert "it was never pushed, or it was deleted" in text


def test_the_private_registry(ask: Any, license: License) -> None:
    ImageTagFactory(
        name="v1",
        manifest__repository=ImageRepositoryFactory(
            application=license.application, name="api"
        ),
    )
    text = ask("registry.example.com/my-app/api:v1")

    assert ALLOWED in text
    assert "The image is in the private registry." in text
    assert "Is the registry connected" not in text


def test_a_revoked_license(ask: Any, license: License, owner: Membership) -> None:
    License.objects.filter(pk=license.pk).update(
        revoked_at=timezone.now(), revoke_reason="unpaid", revoked_by=owner.user
    )

    text = ask()

    assert REFUSED in text
    assert "Contact your vendor.</blockquote>" in text
    assert "UTC by owner@acme.example: unpaid" in text
    assert f'<a href="/t/acme/licenses/{license.pk}">Open the license</a>' in text
    assert text.count("Not checked: an earlier step refused the pull.") == 2


def test_times_are_in_the_teams_zone(ask: Any, license: License) -> None:
    Team.objects.update(time_zone="Asia/Tokyo")
    at = timezone.now() - timedelta(days=1)
    License.objects.filter(pk=license.pk).update(expires_at=at)

    text = ask()

    local = at + timedelta(hours=9)
    assert f"The license expired on {local:%Y-%m-%d %H:%M} JST." in text
    assert "Change its expiry" in text


def test_an_archived_customer(ask: Any, license: License) -> None:
    Customer.objects.update(archived_at=timezone.now())

    text = ask()

    assert "Northwind is archived." in text
    assert f'href="/t/acme/customers/{license.customer_id}">Open the customer' in text


def test_another_application(ask: Any, registry: Any) -> None:
    text = ask("proxy/other-app/quay.io/my-org/api:v1")

    assert "No application has the slug &#x27;other-app&#x27;." in text
    assert 'href="/t/acme/applications">Open applications' in text


def test_another_application_can_be_chosen(ask: Any, registry: Any, team: Team) -> None:
    ApplicationFactory(team=team, slug="second")

    text = ask("quay.io/my-org/api:v1", application="second")

    assert "second is another application of the team." in text


def test_a_registry_that_is_not_connected(ask: Any) -> None:
    text = ask()

    assert "No connected registry has the slug or endpoint" in text
    assert 'href="/t/acme/registries/add">Add external registry</a>' in text
    assert "Ask your vendor to connect it." in text


def test_a_registry_that_is_not_shared(ask: Any, registry: Any) -> None:
    ExternalRegistry.objects.update(shared_with_all=False)

    text = ask()

    assert "is connected, but not shared with my-app." in text
    assert f'href="/t/acme/registries/{registry.pk}/edit">Edit quay.io</a>' in text


def test_a_repository_that_is_not_allowed(ask: Any, registry: Any) -> None:
    text = ask("quay.io/other-org/api:v1")

    assert "No pattern of quay.io covers" in text
    assert f'href="/t/acme/registries/{registry.pk}/edit">Edit quay.io</a>' in text


def test_support_gets_a_link_to_the_registry(
    client: Client, support: Membership, license: License, registry: Any
) -> None:
    client.force_login(support.user)
    query = {"license": str(license.pk), "image": "quay.io/other-org/api"}

    text = client.get(ADDRESS, query).content.decode()

    assert f'href="/t/acme/registries/{registry.pk}">Open quay.io</a>' in text
    assert "/edit" not in text


def test_a_pull_with_an_api_token(ask: Any, team: Team, license: License) -> None:
    token = ApiTokenFactory(team=team, name="robot", role="support")

    text = ask(holder=f"api-token:{token.pk}")

    assert "API token robot" in text
    assert "role does not pull my-app." in text
    assert "Is the license active?" not in text


def test_a_revoked_api_token_is_unknown(ask: Any, team: Team) -> None:
    token = ApiTokenFactory(team=team, revoked_at=timezone.now())

    text = ask(holder=f"api-token:{token.pk}")

    assert "No active license, API token or member of your team matches it." in text


def test_a_pull_with_an_api_token_needs_an_application(ask: Any, team: Team) -> None:
    token = ApiTokenFactory(team=team)

    text = ask("quay.io/my-org/api", holder=f"api-token:{token.pk}")

    assert "Choose an application: the image name does not contain one." in text


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("Quay.io/My-Org", "is not a repository name."),
        ("proxy.example.com/my-app/api", "Images of the proxy are named"),
        ("old.example.com/proxy/my-app/quay.io/api", "never reach Berth."),
    ],
)
def test_an_invalid_image_name_is_shown_beside_its_field(
    ask: Any, image: str, says: str
) -> None:
    text = ask(image)

    assert says in text
    assert 'aria-describedby="id_image_errors' in text
    assert REFUSED not in text


def test_latest_refused_pulls_of_the_license_are_shown(
    ask: Any, team: Team, license: License
) -> None:
    PullEventFactory(
        team=team, license=license, repository="quay.io/x", outcome="license_expired"
    )
    PullEventFactory(team=team, license=license, repository="quay.io/fine")
    PullEventFactory(team=team, repository="quay.io/other", outcome="license_expired")

    text = ask("")

    assert "quay.io/x:v1.0.1" in text
    assert "quay.io/fine" not in text
    assert "quay.io/other" not in text
    assert f'href="/t/acme/pulls?license={license.pk}"' in text


def test_roles(
    client: Client,
    support: Membership,
    viewer: Membership,
    outsider: Membership,
    license: License,
) -> None:
    statuses = []
    for membership in (support, viewer, outsider):
        client.force_login(membership.user)
        query = {"license": str(license.pk), "image": IMAGE}
        statuses.append(client.get(ADDRESS, query).status_code)

    assert statuses == [200, 200, 404]


def test_no_secret_is_on_the_page(ask: Any, license: License, registry: Any) -> None:
    text = ask()

    assert license.license_id.reveal() not in text
    assert "upstream-password" not in text


@pytest.mark.parametrize("rows", [1, 30])
def test_queries_do_not_grow_with_rows(
    client: Client,
    viewer: Membership,
    license: License,
    registry: Any,
    rows: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client.force_login(viewer.user)
    for number in range(rows):
        PullEventFactory(
            team=license.team,
            license=license,
            repository=f"quay.io/r{number}",
            outcome="license_expired",
        )
        ApplicationFactory(team=license.team)
    query = {"license": str(license.pk), "image": IMAGE}
    client.get(ADDRESS, query)

    with django_assert_num_queries(15):
        client.get(ADDRESS, query)
