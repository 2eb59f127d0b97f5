from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from licenses.models import Application
from oci.reference import parse_reference
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.proxied_name import parse_proxied_name
from registries.decision.pull import AllowedPull, authorize_pull
from registries.preview.manifest import Fate, Hosts, preview_manifest
from teams.models import Membership, Team
from tests.support.rows.factories import (
    ApplicationFactory,
    ExternalRegistryFactory,
    LicenseFactory,
    RegistryShareFactory,
)
from tests.support.rows.world import rows_of

ADDRESS = "/t/acme/manifest"
HOSTS = Hosts("proxy.example.com", "registry.example.com")
DEPLOYMENT = """
  apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: example
  spec:
    template:
      spec:
        containers:
          - name: api
            image: quay.io/my-org/api:v1.0.1
"""
KUSTOMIZATION = """apiVersion: kustomize.config.k8s.io/v1beta1
resources:
- ../../base
images:
- name: quay.io/my-org/api
  newName: proxy.example.com/proxy/my-app/quay.io/my-org/api
"""


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = HOSTS.proxy
    settings.BERTH_REGISTRY_HOST = HOSTS.private_registry


@pytest.fixture
def application(team: Team) -> Application:
    made: Application = ApplicationFactory(team=team, slug="my-app", name="My app")
    return made


@pytest.fixture
def post(client: Client, owner: Membership, team: Team, application: Any) -> Any:
    client.force_login(owner.user)

    def send(manifest: str, slug: str = "my-app") -> str:
        before = rows_of(team)
        form = {"application": slug, "manifest": manifest}
        response = client.post(ADDRESS, form)
        assert response.status_code == 200
        assert rows_of(team) == before
        return response.content.decode()

    return send


def pod(*images: str) -> str:
    listed = ", ".join(f"{{name: c{n}, image: '{i}'}}" for n, i in enumerate(images))
    return f"kind: Pod\nmetadata: {{name: pod}}\nspec: {{containers: [{listed}]}}\n"


def test_the_manifest_of_the_documentation(post: Any, team: Team) -> None:
    registry = ExternalRegistryFactory(team=team, endpoint="quay.io")

    text = post(DEPLOYMENT.replace("\n", "\r\n"))

    assert KUSTOMIZATION in text
    assert f'href="/t/acme/registries/{registry.pk}">quay.io</a>' in text
    new_image = f"{HOSTS.proxy}/proxy/my-app/quay.io/my-org/api:v1.0.1"
    assert f"<code>{new_image}</code>" in text
    assert "1 image in 1 object; 1 would be pulled through Berth." in text
    assert "Deployment example, api" in text
    assert "line 11" in text


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("ghcr.io/org/api", "ghcr.io is not connected."),
        ("redis", "Docker Hub is not connected."),
        ("private.io/org/api", "is not shared with this application."),
        ("quay.io/other/api", "covers it."),
        ("registry.example.com/my-app/api:v1", "Private registry</span>"),
        ("registry.example.com/other/api:v1", "belongs to other"),
        ("proxy.example.com/proxy/my-app/quay.io/api", "Already proxied</span>"),
        ("proxy.example.com/proxy/other/quay.io/api", "belongs to other"),
        ("{{ .Values.image }}", "It is a template."),
        ("Quay.io/UPPER", "is not a repository name."),
    ],
)
def test_unchanged_images_are_shown_with_the_reason(
    post: Any, team: Team, image: str, says: str
) -> None:
    ExternalRegistryFactory(
        team=team, endpoint="quay.io", repository_patterns=["my-org/*"]
    )
    ExternalRegistryFactory(team=team, endpoint="private.io", shared_with_all=False)

    text = post(pod(image))

    assert says in text
    assert "0 would be pulled through Berth." in text
    assert "newName" not in text


def test_registries_of_other_teams_do_not_count(post: Any, other_team: Team) -> None:
    ExternalRegistryFactory(team=other_team, endpoint="quay.io")

    assert "quay.io is not connected." in post(DEPLOYMENT)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("", "Paste a manifest."),
        ("kind: Pod\n\tspec: {}", "Line 2: This is not YAML"),
        ("a: &a [*a]", "Line 1: The anchor &amp;a contains itself."),
        pytest.param("[" * 5_000, "Line 1: This is nested deeper", id="deep"),
        pytest.param("#" * 1_000_001, "The text is larger than 1 MB.", id="large"),
        ("services: {web: {image: redis}}", "No Kubernetes object found."),
        ("hello", "No Kubernetes object found."),
    ],
)
def test_errors_are_shown_beside_the_field(post: Any, manifest: str, says: str) -> None:
    text = post(manifest)

    assert says in text
    assert 'id="id_manifest_errors"' in text
    assert "kustomization.yaml</h2>" not in text


def test_an_application_of_another_team_cannot_be_chosen(
    post: Any, other_team: Team
) -> None:
    ApplicationFactory(team=other_team, slug="theirs")

    assert "theirs is not one of the available choices." in post(DEPLOYMENT, "theirs")


def test_objects_without_images(post: Any) -> None:
    text = post("kind: ConfigMap\ndata: {image: quay.io/x}")

    assert "None of these objects has an image." in text


def test_without_an_application_the_page_links_to_applications(
    client: Client, owner: Membership
) -> None:
    client.force_login(owner.user)

    text = client.get(ADDRESS).content.decode()

    assert "No applications yet" in text
    assert 'href="/t/acme/applications"' in text


def test_the_form(client: Client, viewer: Membership, application: Any) -> None:
    client.force_login(viewer.user)

    text = client.get(ADDRESS).content.decode()

    assert '<option value="my-app">My app</option>' in text
    assert "is-invalid" not in text


def test_the_preview_and_the_pull_agree(team: Team, application: Application) -> None:
    license = LicenseFactory(team=team, application=application)
    for fields in (
        {"endpoint": "index.docker.io", "slug": "hub", "provider": "dockerhub"},
        {"endpoint": "quay.io", "slug": "first", "repository_patterns": ["a/*"]},
        {"endpoint": "quay.io", "slug": "second", "repository_patterns": ["b/*"]},
        {"endpoint": "localhost:5001", "slug": "sample"},
        {"endpoint": "ghcr.io", "slug": "ghcr.io", "shared_with_all": False},
        # A slug that is the host of another one.
        {"endpoint": "gcr.io", "slug": "gcr"},
        {"endpoint": "other.example.com", "slug": "gcr.io"},
    ):
        ExternalRegistryFactory(team=team, **fields)
    shared = ExternalRegistryFactory(
        team=team, endpoint="shared.io", shared_with_all=False
    )
    RegistryShareFactory(registry=shared, application=application)
    images = [
        *("redis", "library/redis:7", "docker.io/redis", "docker.io/library/redis"),
        *("index.docker.io/library/redis", "my-org/api", "docker.io/my-org/api:v1"),
        *("quay.io/a/api", "quay.io/b/api", "localhost:5001/my-org/api:v1"),
        *("gcr.io/org/api", "shared.io/api"),
    ]

    preview = preview_manifest(pod(*images), application=application, hosts=HOSTS)

    assert [image.fate for image in preview.images] == [Fate.PROXIED] * len(images)
    for image in preview.images:
        name = parse_proxied_name(parse_reference(image.new_image).repository)
        decision = authorize_pull(
            Subject(SubjectKind.LICENSE, license.pk),
            name.application,
            name.upstream,
            name.repository,
        )
        assert isinstance(decision, AllowedPull), image
        assert image.registry
        assert decision.registry.id == image.registry.pk, image


@pytest.mark.parametrize("rows", [1, 30])
def test_queries_do_not_grow_with_rows(
    client: Client,
    owner: Membership,
    team: Team,
    application: Any,
    rows: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client.force_login(owner.user)
    for number in range(rows):
        ExternalRegistryFactory(team=team, endpoint=f"r{number}.example.com")
        ApplicationFactory(team=team)
    images = [f"r{number}.example.com/api" for number in range(rows)]
    form = {"application": "my-app", "manifest": pod(*images)}
    client.post(ADDRESS, form)

    with django_assert_num_queries(9):
        text = client.post(ADDRESS, form).content.decode()

    assert f"{rows} would be pulled through Berth." in text


def test_roles(
    client: Client,
    support: Membership,
    viewer: Membership,
    outsider: Membership,
    application: Any,
) -> None:
    statuses = []
    for membership in (support, viewer, outsider):
        client.force_login(membership.user)
        form = {"application": "my-app", "manifest": DEPLOYMENT}
        statuses.append(client.post(ADDRESS, form).status_code)

    assert statuses == [200, 200, 404]


def _pod(images: int) -> str:
    containers = "".join(
        f"\n  - {{name: c{number}, image: 'quay.io/my-org/api{number}'}}"
        for number in range(images)
    )
    return f"apiVersion: v1\nkind: Pod\nspec:\n  containers:{containers}"


def test_a_preview_takes_2000_different_images(
    post: Any, team: Team, application: Application
) -> None:
    ExternalRegistryFactory(team=team, endpoint="quay.io")

    most = preview_manifest(_pod(2_000), application=application, hosts=HOSTS)
    text = post(_pod(2_001))

    assert len(most.images) == 2_000
    assert (
        '<div class="invalid-feedback d-block" id="id_manifest_errors">This manifest '
        "has 2,001 different images. A preview takes 2,000: paste it in parts.</div>"
    ) in text
    assert "kustomization.yaml</" not in text
