"""The image names on the vendor's pages: real ones, in one form, with lines to copy."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml
from django.test import Client

from licenses.models import Application
from registries.models import ExternalRegistry
from teams.models import Membership, Team
from tests.support.pages.reading import copyable_of, text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    ApplicationFactory,
    ExternalRegistryFactory,
    ImageTagFactory,
    LicenseFactory,
    PullEventFactory,
    RegistryShareFactory,
    pull_credential,
)

PROXY, PRIVATE = "images.acme.example", "registry.acme.example"
PAGE = "/t/acme/image-names"
API = f"{PROXY}/proxy/kestrel/quay.io/acme/api:v1"
OF_LICENSE = f"{PROXY}/proxy/kestrel/quay.io/acme/web:v7"


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = PROXY
    settings.BERTH_REGISTRY_HOST = PRIVATE


@pytest.fixture
def browser(viewer: Membership) -> Client:
    return signed_in(viewer)


@pytest.fixture
def application(team: Team) -> Application:
    made: Application = ApplicationFactory(team=team, slug="kestrel", name="Kestrel")
    return made


@pytest.fixture
def quay(team: Team, application: Application) -> ExternalRegistry:
    made: ExternalRegistry = ExternalRegistryFactory(
        team=team,
        endpoint="quay.io",
        slug="quay",
        repository_patterns=["acme/*"],
        test_image="acme/api:v1",
    )
    return made


def names_on(response: Any) -> list[str]:
    return [image.name for image in response.context["images"]]


def name_shown(browser: Client, **asked: str) -> str:
    """Return the name that the component shows for what is asked."""
    response = browser.post(PAGE, asked)
    assert response.context["problem"] == "", response.context["problem"]
    name: str = response.context["chosen"].name
    assert copyable_of(response)[0] == name
    return name


def test_every_page_has_the_same_name(
    browser: Client, team: Team, application: Application, quay: ExternalRegistry
) -> None:
    license = LicenseFactory(team=team, application=application)
    for page in (
        PAGE,
        "/t/acme/images",
        "/t/acme/applications/kestrel",
        f"/t/acme/registries/{quay.pk}",
        f"/t/acme/licenses/{license.pk}",
    ):
        assert API in copyable_of(browser.get(page)), page


def test_only_real_names_are_offered(
    browser: Client, team: Team, application: Application, quay: ExternalRegistry
) -> None:
    # A pattern refuses what was pulled before, and a test image.
    pulled = {"team": team, "application_slug": "kestrel", "registry": quay}
    PullEventFactory(**pulled, repository="quay/acme/web", reference="v2")
    PullEventFactory(**pulled, repository="quay/other/web", reference="v2")
    ExternalRegistryFactory(
        team=team, repository_patterns=["acme/*"], test_image="my-org/api:v1"
    )
    # Not shared with the application; and in the private registry.
    ExternalRegistryFactory(
        team=team, shared_with_all=False, test_image="acme/hidden:v1"
    )
    ImageTagFactory(
        manifest__repository__application=application,
        manifest__repository__name="worker",
        name="v3",
    )

    response = browser.get(PAGE)

    assert names_on(response) == [
        API,
        f"{PROXY}/proxy/kestrel/quay.io/acme/web:v2",
        f"{PRIVATE}/kestrel/worker:v3",
    ]
    of_private = browser.post(PAGE, {"registry": "private-registry"})
    assert names_on(of_private) == [f"{PRIVATE}/kestrel/worker:v3"]


def test_what_a_license_pulled_comes_from_that_license(
    browser: Client, team: Team, application: Application, quay: ExternalRegistry
) -> None:
    license, other = LicenseFactory.create_batch(2, team=team, application=application)
    pulled = {"team": team, "application_slug": "kestrel", "registry": quay}
    PullEventFactory(
        **pulled, license=license, repository="quay.io/acme/web", reference="v7"
    )

    assert OF_LICENSE in names_on(browser.get(f"/t/acme/licenses/{license.pk}"))
    assert OF_LICENSE not in names_on(browser.get(f"/t/acme/licenses/{other.pk}"))
    assert OF_LICENSE in names_on(browser.get("/t/acme/applications/kestrel"))


def test_a_slug_is_in_a_name_only_where_the_host_leads_elsewhere(
    browser: Client, team: Team, application: Application, quay: ExternalRegistry
) -> None:
    ExternalRegistryFactory(
        team=team, endpoint="r.example:5000", slug="mine", test_image="a/b:1"
    )
    # The first registry at quay.io that may serve a repository serves it.
    ExternalRegistryFactory(
        team=team, endpoint="quay.io", slug="second", test_image="other/c:1"
    )
    ExternalRegistryFactory(
        team=team, endpoint="quay.io", slug="third", test_image="acme/d:1"
    )
    ExternalRegistryFactory(
        team=team,
        provider="dockerhub",
        endpoint="index.docker.io",
        slug="hub",
        test_image="redis:7",
    )
    # Somebody else's slug is this one's host.
    ExternalRegistryFactory(team=team, endpoint="gcr.io", test_image="a/e:1", slug="g")
    ExternalRegistryFactory(team=team, endpoint="x.example", slug="gcr.io")

    assert names_on(browser.get(PAGE)) == [
        f"{PROXY}/proxy/kestrel/docker.io/library/redis:7",
        f"{PROXY}/proxy/kestrel/g/a/e:1",
        f"{PROXY}/proxy/kestrel/mine/a/b:1",
        API,
        f"{PROXY}/proxy/kestrel/quay.io/other/c:1",
        f"{PROXY}/proxy/kestrel/third/acme/d:1",
    ]


@pytest.mark.parametrize(
    ("registry", "text", "name"),
    [
        ("", "docker pull quay.io/acme/new:v9", "quay.io/acme/new:v9"),
        ("quay", "acme/new:v9", "quay.io/acme/new:v9"),
        ("quay", "acme/new", "quay.io/acme/new:latest"),
        ("", f"{PROXY}/proxy/kestrel/quay/acme/new:v9", "quay.io/acme/new:v9"),
    ],
)
def test_any_image_of_a_registry_can_be_typed(
    browser: Client, quay: ExternalRegistry, registry: str, text: str, name: str
) -> None:
    shown = name_shown(browser, registry=registry, image=API, other=text)

    assert shown == f"{PROXY}/proxy/kestrel/{name}"


@pytest.mark.parametrize(
    ("registry", "text", "problem"),
    [
        ("quay", "other/new:v9", "No pattern of the registry quay covers this"),
        ("quay", "gcr.io/a/b", "This image is on gcr.io. Enter one on quay.io."),
        ("", "gcr.io/a/b", "No registry gcr.io is connected."),
        ("private-registry", "api:v1", "The private registry has no v1 of api."),
        ("", "NOT AN IMAGE", "is not"),
    ],
)
def test_what_cannot_be_pulled_has_no_name(
    browser: Client, quay: ExternalRegistry, registry: str, text: str, problem: str
) -> None:
    response = browser.post(PAGE, {"registry": registry, "other": text})

    assert problem in text_of(response)
    assert copyable_of(response) == []


def test_a_pasted_secret_is_refused_and_not_shown_again(
    browser: Client, team: Team, quay: ExternalRegistry
) -> None:
    _, secret = pull_credential(LicenseFactory(team=team))

    response = browser.post(PAGE, {"other": f"docker login -p {secret} x"})

    assert "This contains a pull credential, which is a secret." in text_of(response)
    assert secret not in response.content.decode()


def test_another_application_or_registry_starts_with_its_own_images(
    browser: Client, team: Team, quay: ExternalRegistry
) -> None:
    ApplicationFactory(team=team, slug="osprey")
    ExternalRegistryFactory(team=team, endpoint="gcr.io", test_image="a/b:1")

    of_osprey = name_shown(browser, application="osprey", image=API)
    assert of_osprey == f"{PROXY}/proxy/osprey/gcr.io/a/b:1"
    kestrel = {"application": "kestrel", "image": API}
    of_gcr = name_shown(browser, **kestrel, registry="gcr.io")
    assert of_gcr == f"{PROXY}/proxy/kestrel/gcr.io/a/b:1"
    assert name_shown(browser, **kestrel, registry="quay") == API


@pytest.mark.parametrize("tool", ["docker", "podman", "skopeo", "kubernetes"])
def test_a_tool_has_lines_of_a_shell(
    browser: Client, quay: ExternalRegistry, tool: str
) -> None:
    response = browser.post(PAGE, {"image": API, "tool": tool})

    name, *lines = copyable_of(response)
    assert name == API
    assert len(lines) > 2
    if tool == "kubernetes":
        pod = yaml.safe_load(lines.pop(2))
        assert pod["spec"]["containers"][0]["image"] == API
        assert pod["spec"]["imagePullSecrets"] == [{"name": "kestrel-registry"}]
    for line in lines:
        subprocess.run(["sh", "-n"], input=line, text=True, check=True)


def test_kustomize_renames_every_spelling(
    browser: Client, team: Team, application: Application, quay: ExternalRegistry
) -> None:
    ExternalRegistryFactory(
        team=team, provider="dockerhub", endpoint="index.docker.io", slug="hub"
    )

    *_, of_quay = copyable_of(browser.post(PAGE, {"image": API, "tool": "kustomize"}))
    image = f"docker.io/acme/api@sha256:{'a' * 64}"
    *_, of_hub = copyable_of(browser.post(PAGE, {"other": image, "tool": "kustomize"}))

    base = f"{PROXY}/proxy/kestrel"
    assert yaml.safe_load(of_quay)["images"] == [
        {"name": "quay.io/acme/api", "newName": f"{base}/quay.io/acme/api"}
    ]
    assert [entry["name"] for entry in yaml.safe_load(of_hub)["images"]] == [
        "acme/api",
        "docker.io/acme/api",
    ]
    assert f"{base}/docker.io/acme/api" in of_hub


def test_htmx_gets_the_form_alone(browser: Client, quay: ExternalRegistry) -> None:
    response = browser.post(
        PAGE, {"registry": "quay", "of": "registry"}, headers={"HX-Request": "true"}
    )

    html = response.content.decode()
    assert "<html" not in html
    assert 'id="names-registry"' not in html
    assert copyable_of(response) == [API]


def test_a_registry_that_no_application_uses_has_no_names(
    browser: Client, team: Team, application: Application
) -> None:
    registry = ExternalRegistryFactory(
        team=team, shared_with_all=False, test_image="a/b:1"
    )
    page = f"/t/acme/registries/{registry.pk}"
    assert "No application uses this registry." in text_of(browser.get(page))

    RegistryShareFactory(registry=registry, application=application)
    ApplicationFactory(team=team, slug="other")
    response = browser.get(page)
    assert [each.slug for each in response.context["applications"]] == ["kestrel"]
    assert names_on(response) == [f"{PROXY}/proxy/kestrel/{registry.endpoint}/a/b:1"]


def test_nothing_of_another_team_is_named(
    browser: Client, team: Team, application: Application, quay: ExternalRegistry
) -> None:
    theirs = ExternalRegistryFactory(test_image="their/api:v1")
    license = LicenseFactory(application__slug="their-app")
    PullEventFactory(
        team=license.team,
        license=license,
        application_slug="their-app",
        registry=theirs,
        repository=f"{theirs.endpoint}/their/pulled",
    )

    asked = {"application": "their-app", "license": str(license.pk)}
    response = browser.post(PAGE, asked | {"registry": theirs.slug})

    assert "their" not in " ".join(copyable_of(response))
    assert response.context["license"] is None
    of_registry = {"registry": theirs.slug, "of": "registry"}
    assert browser.post(PAGE, of_registry).status_code == 404


@pytest.mark.parametrize("number", [1, 12])
def test_the_queries_are_as_many_for_more_images(
    number: int,
    browser: Client,
    team: Team,
    application: Application,
    django_assert_num_queries: Any,
) -> None:
    for each in range(number):
        registry = ExternalRegistryFactory(team=team, test_image="acme/x:1")
        PullEventFactory(
            team=team,
            application_slug="kestrel",
            registry=registry,
            repository=f"{registry.slug}/acme/{each}",
        )
        ImageTagFactory(manifest__repository__application=application)
    browser.get(PAGE)

    with django_assert_num_queries(13):
        response = browser.get(PAGE)
    assert len(names_on(response)) == 3 * number
