"""What the pages Install, Check and Pulls show, with a license alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from customers.models import VendorLook
from customers.pulling.answers import CHECKS_PER_MINUTE
from customers.services.listed_images import list_images
from licenses.models import License
from registries.models import PRIVATE_REGISTRY_ID, ExternalRegistry, PullEvent
from registries.models.outcomes import OUTCOMES
from teams.actors import Actor
from teams.models import Team
from tests.support.clients.api import code_of
from tests.support.clients.license_holder import PROXY, REGISTRY, LicenseClient, basic
from tests.support.minutes import within_a_minute
from tests.support.rows.factories import (
    ContactFactory,
    ExternalRegistryFactory,
    LicenseFactory,
    PullEventFactory,
    pull_credential,
)
from tests.support.rows.world import rows_of

PATHS = ["/images", "/pulls"]
IMAGE = f"{PROXY}/proxy/kestrel/quay.io/my-org/api:v1"
LONG_AGO = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = PROXY
    settings.BERTH_REGISTRY_HOST = REGISTRY


@pytest.fixture
def license(team: Team) -> License:
    VendorLook.objects.create(team=team, display_name="Acme Software")
    return LicenseFactory(team=team, application__slug="kestrel")


@pytest.fixture(autouse=True)
def registry(team: Team) -> ExternalRegistry:
    made: ExternalRegistry = ExternalRegistryFactory(
        team=team,
        endpoint="quay.io",
        slug="secret-slug",
        repository_patterns=["my-org/*"],
    )
    return made


@pytest.fixture
def holder(license: License) -> LicenseClient:
    return LicenseClient(license)


def check(holder: LicenseClient, image: str) -> Any:
    return holder.request("post", "/license/check", {"image": image})


def pull(license: License, **values: Any) -> PullEvent:
    made: PullEvent = PullEventFactory(
        team=license.team,
        license=license,
        application_slug=license.application.slug,
        **values,
    )
    return made


def test_images_listed_first_and_those_of_the_license_alone(
    holder: LicenseClient, license: License, actor: Actor, registry: ExternalRegistry
) -> None:
    listed = [("quay.io/my-org/web:v2", "The web server")]
    list_images(actor=actor, application=license.application, images=listed)
    pull(license, repository="quay.io/my-org/api", reference="v1", registry=registry)
    # Another license of the same customer.
    other = LicenseFactory(
        team=license.team, customer=license.customer, application=license.application
    )
    pull(other, repository="quay.io/my-org/theirs", reference="v1", registry=registry)

    response = holder.get("/images")

    assert response.headers["Cache-Control"] == "no-store"
    assert response.json() == {
        "images": [
            {
                "name": f"{PROXY}/proxy/kestrel/quay.io/my-org/web:v2",
                "description": "The web server",
                "is_listed": True,
            },
            {"name": IMAGE, "description": "", "is_listed": False},
        ]
    }


def test_what_is_not_shared_is_not_listed(
    holder: LicenseClient, license: License, actor: Actor, registry: ExternalRegistry
) -> None:
    listed = [("quay.io/my-org/web:v2", "")]
    list_images(actor=actor, application=license.application, images=listed)
    ExternalRegistry.objects.filter(pk=registry.pk).update(shared_with_all=False)

    response = holder.get("/images")

    assert response.json() == {"images": []}
    assert "secret-slug" not in response.content.decode()


def test_a_check_that_is_allowed(holder: LicenseClient, team: Team) -> None:
    before = rows_of(team)

    by_name = check(holder, IMAGE).json()
    elsewhere = check(holder, "quay.io/my-org/api:v1").json()
    missing = check(holder, f"{REGISTRY}/kestrel/worker:v2").json()

    allowed = {"allowed": True, "code": "allowed", "message": "", "missing": ""}
    assert by_name == {**allowed, "next_step": "", "new_name": ""}
    assert elsewhere == {
        **allowed,
        "next_step": "Pull it by its new name.",
        "new_name": IMAGE,
    }
    assert (missing["allowed"], missing["missing"]) == (True, "v2")
    assert missing["next_step"] == (
        "Check the tag or digest. There is no v2; if Acme Software gave it to you, "
        "tell them."
    )
    assert rows_of(team) == before


@pytest.mark.parametrize(
    ("image", "code", "message"),
    [
        ("quay.io/other/api", "repository_not_allowed", "is not offered to customers"),
        ("ghcr.io/my-org/api", "registry_not_connected", "is not available"),
        (
            IMAGE.replace("kestrel", "osprey"),
            "application_mismatch",
            "does not include the application 'osprey'",
        ),
    ],
)
def test_a_check_that_is_refused(
    image: str, code: str, message: str, holder: LicenseClient, license: License
) -> None:
    # The customer's license for it is no business of this one's holder.
    LicenseFactory(
        team=license.team,
        customer=license.customer,
        application__slug="osprey",
        application__name="Osprey Pro",
    )

    answer = check(holder, image)

    assert answer.status_code == 200
    body = answer.json()
    assert (body["allowed"], body["code"]) == (False, code)
    assert message in body["message"]
    assert "ask Acme Software" in body["next_step"]
    assert "Osprey Pro" not in answer.content.decode()
    assert "secret-slug" not in answer.content.decode()


def test_what_is_not_shared_looks_like_what_is_not_connected(
    holder: LicenseClient, license: License, registry: ExternalRegistry
) -> None:
    ExternalRegistry.objects.filter(pk=registry.pk).update(shared_with_all=False)

    unshared = check(holder, "quay.io/my-org/api").content.decode()
    unknown = check(holder, "ghcr.io/my-org/api").content.decode()
    assert unshared.replace("quay.io", "ghcr.io") == unknown

    pulls = []
    for reason in ("registry_not_shared", "registry_not_connected"):
        pull(license, repository="quay.io/a", outcome=reason, last_at=LONG_AGO)
        pulls.append(holder.get("/pulls").json()["results"])
        license.pulls.all().delete()
    assert pulls[0] == pulls[1]


def test_a_check_by_a_pull_credential_is_of_that(license: License) -> None:
    _, text = pull_credential(license)

    answer = check(LicenseClient(authorization=basic("any", text)), IMAGE)

    assert answer.json()["allowed"] is True


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("UPPER/case", "is not a repository name"),
        ("docker login -p hunter2 x", "This contains a command with a password"),
        ("", "blank"),
        (None, "null"),
        ("a" * 1001, "no more than 1000"),
    ],
)
def test_what_is_no_name_is_refused_and_a_secret_not_repeated(
    image: Any, words: str, holder: LicenseClient
) -> None:
    answer = check(holder, image)

    assert answer.status_code == 400
    assert words in answer.json()["errors"]["image"][0]
    assert "hunter2" not in answer.content.decode()


def test_checks_of_a_license_are_limited(license: License) -> None:
    def ask() -> list[Any]:
        asking = LicenseClient(LicenseFactory(team=license.team))
        return [check(asking, IMAGE) for _ in range(CHECKS_PER_MINUTE + 1)]

    *answered, stopped = within_a_minute(ask)

    assert {answer.status_code for answer in answered} == {200}
    assert stopped.status_code == 429
    assert code_of(stopped) == "too_many_checks"
    assert 1 <= int(stopped.headers["Retry-After"]) <= 60
    assert check(LicenseClient(license), IMAGE).status_code == 200


def test_pulls_of_the_license_alone(holder: LicenseClient, license: License) -> None:
    credential, _ = pull_credential(license, name="Cluster 7")
    pull(
        license,
        repository="quay.io/my-org/api",
        reference="v1",
        credential_id=credential.pk,
        credential_name="Cluster 7",
        outcome="credential_revoked",
        last_at=LONG_AGO,
        count=3,
    )
    pull(
        license,
        repository="worker",
        reference="v2",
        registry_id=PRIVATE_REGISTRY_ID,
        last_at=LONG_AGO - timedelta(days=1),
    )
    pull(LicenseFactory(team=license.team, customer=license.customer))
    pull(LicenseFactory())

    assert holder.get("/pulls").json() == {
        "next": None,
        "previous": None,
        "results": [
            {
                "day": "2026-05-04",
                "last_at": "2026-05-04T03:02:01Z",
                "image": IMAGE,
                "credential": "Cluster 7",
                "allowed": False,
                "code": "credential_revoked",
                "next_step": "Log in with another pull credential of the license, or "
                "make a new one.",
                "count": 3,
            },
            {
                "day": "2026-05-03",
                "last_at": "2026-05-03T03:02:01Z",
                "image": f"{REGISTRY}/kestrel/worker:v2",
                "credential": "",
                "allowed": True,
                "code": "allowed",
                "next_step": "",
                "count": 1,
            },
        ],
    }


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("day=2026-05-04", {"a/one"}),
        ("outcome=refused", {"a/one"}),
        ("outcome=registry_not_connected", {"a/one"}),
        ("outcome=registry_not_shared", set()),
        ("outcome=allowed", {"a/two"}),
        ("credential=license-id", {"a/one"}),
        ("credential=credential:CI", {"a/two"}),
        ("credential=CI", set()),
    ],
)
def test_pulls_are_filtered_as_on_the_page(
    query: str, shown: set[str], holder: LicenseClient, license: License
) -> None:
    pull(license, repository="a/one", outcome="registry_not_shared", last_at=LONG_AGO)
    pull(license, repository="a/two", credential_id=license.pk, credential_name="CI")

    results = holder.get(f"/pulls?{query}").json()["results"]

    names = {row["image"].removeprefix(f"{PROXY}/proxy/kestrel/") for row in results}
    assert {name.partition(":")[0] for name in names} == shown


def test_pulls_have_pages_and_few_queries(
    holder: LicenseClient, license: License, django_assert_num_queries: Any
) -> None:
    now = timezone.now()
    for number in range(5):
        pull(license, repository=f"a/{number}", last_at=now - timedelta(days=number))

    # The holder, the license, the pulls and the vendor's name.
    with django_assert_num_queries(4):
        first = holder.get("/pulls?page_size=3").json()
    second = holder.get("/pulls?" + first["next"].partition("?")[2]).json()

    images = [row["image"] for row in [*first["results"], *second["results"]]]
    assert [image.partition("/a/")[2][0] for image in images] == list("01234")
    assert second["next"] is None


@pytest.mark.parametrize("outcome", sorted(OUTCOMES))
def test_no_pull_tells_what_only_the_vendor_knows(
    outcome: str, holder: LicenseClient, license: License
) -> None:
    pull(license, outcome=outcome)

    (row,) = holder.get("/pulls").json()["results"]

    assert "{vendor}" not in row["next_step"]
    assert row["code"] in {"registry_failed", "registry_not_connected", "refused"} or (
        row["code"] == outcome
    )
    assert (row["next_step"] == "") == row["allowed"] == (outcome == "allowed")


def test_a_license_invites_nobody(holder: LicenseClient, license: License) -> None:
    contact = ContactFactory(customer=license.customer)
    before = rows_of(license.team)

    for path, body in (
        ("contacts", {"email": "thief@elsewhere.example", "role": "administrator"}),
        ("links", {"contacts": [str(contact.pk)]}),
    ):
        address = f"/customers/{license.customer_id}/{path}"
        response = holder.request("post", address, body)
        assert response.status_code == 401
    assert rows_of(license.team) == before


@pytest.mark.parametrize("path", [*PATHS, "/check"])
def test_misspelt_parameters_are_told_and_nothing_changes(
    path: str, holder: LicenseClient, team: Team
) -> None:
    before = rows_of(team)
    method = "post" if path == "/check" else "get"

    response = holder.request(method, f"/license{path}?dya=x", {"image": "redis"})

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["dya"]
    for other in {"put", "patch", "delete", "get", "post"} - {method}:
        assert holder.request(other, f"/license{path}", {}).status_code == 405
    assert rows_of(team) == before
