"""The names and lines that customers copy."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.utils import timezone

from customers.models import Contact
from customers.web.pulling.install_lines import SAVE_SECRET, TOOLS, Wanted
from licenses.models import License
from registries.models import PRIVATE_REGISTRY_ID
from teams.models import Membership
from tests.integration.customers.conftest import signed_in
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in as member_browser
from tests.support.rows.factories import (
    ContactFactory,
    ExternalRegistryFactory,
    ImageTagFactory,
    LicenseFactory,
    PullEventFactory,
    RegistryShareFactory,
)

PROXY, PRIVATE = "images.acme.example", "registry.acme.example"
IMAGE = f"{PROXY}/proxy/kestrel/quay.io/acme/api:v1"


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = PROXY
    settings.BERTH_REGISTRY_HOST = PRIVATE


@pytest.fixture
def license(anna: Contact) -> License:
    return LicenseFactory(
        customer=anna.customer,
        team=anna.team,
        application__slug="kestrel",
        application__name="Kestrel",
    )


def page_of(contact: Contact, **query: str) -> Any:
    return signed_in(contact).get(f"/c/{contact.customer_id}/install", query)


def names_on(response: Any) -> list[str]:
    return [image.name for image in response.context["images"]]


def pulled(license: License, repository: str, tag: str, **values: Any) -> None:
    PullEventFactory(
        team=license.team,
        license=license,
        application_slug=license.application.slug,
        repository=repository,
        reference=tag,
        **values,
    )


def test_names_are_real_ones_alone(anna: Contact, license: License) -> None:
    quay = ExternalRegistryFactory(
        team=anna.team, endpoint="quay.io", repository_patterns=["acme/*"]
    )
    pulled(license, "quay.io/acme/api", "v1", registry=quay)
    pulled(
        license,
        "quay.io/acme/api",
        "v0",
        registry=quay,
        last_at=timezone.now() - timedelta(days=2),
    )
    pulled(license, "quay.io/acme/api", "sha256:" + "0" * 64, registry=quay)
    # Refused, no longer offered, of another customer, and of long ago.
    pulled(license, "quay.io/acme/gone", "v1", outcome="repository_not_allowed")
    pulled(license, "quay.io/other/web", "v1", registry=quay)
    pulled(LicenseFactory(team=anna.team), "quay.io/acme/theirs", "v1", registry=quay)
    pulled(
        license,
        "quay.io/acme/old",
        "v1",
        registry=quay,
        last_at=timezone.now() - timedelta(days=40),
    )
    # A test image of a shared registry, of one that is not, and one that was pulled.
    ExternalRegistryFactory(
        team=anna.team, endpoint="ghcr.io", slug="ghcr", test_image="acme/web"
    )
    ExternalRegistryFactory(
        team=anna.team, slug="hidden", test_image="acme/x:1", shared_with_all=False
    )
    quay.test_image = "acme/api:test"
    quay.save()
    ImageTagFactory(
        manifest__repository__application=license.application,
        manifest__repository__name="worker",
        name="v3",
    )
    pulled(license, "worker", "v2", registry_id=PRIVATE_REGISTRY_ID)

    response = page_of(anna)

    assert names_on(response) == [
        f"{PROXY}/proxy/kestrel/ghcr.io/acme/web:latest",
        IMAGE,
        f"{PRIVATE}/kestrel/worker:v3",
    ]


def test_a_registry_shared_with_the_application_counts(
    anna: Contact, license: License
) -> None:
    share = RegistryShareFactory(
        registry__team=anna.team,
        registry__slug="only",
        registry__test_image="acme/x:1",
        application=license.application,
    )

    names = names_on(page_of(anna))

    assert names == [f"{PROXY}/proxy/kestrel/{share.registry.endpoint}/acme/x:1"]


def test_the_queries_are_as_many_for_more_images(
    anna: Contact, license: License, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        registry = ExternalRegistryFactory(team=anna.team, test_image="acme/x:1")
        pulled(license, f"{registry.slug}/acme/{number}", "v1", registry=registry)
        ImageTagFactory(manifest__repository__application=license.application)
    browser = signed_in(anna)
    browser.get(f"/c/{anna.customer_id}/install")

    with django_assert_max_num_queries(14):
        response = browser.get(f"/c/{anna.customer_id}/install")
    assert len(names_on(response)) == 36


def test_the_query_chooses(anna: Contact, license: License) -> None:
    other = LicenseFactory(
        customer=anna.customer, team=anna.team, application__name="Osprey"
    )
    ExternalRegistryFactory(
        team=anna.team, endpoint="quay.io", slug="quay", test_image="acme/api:v1"
    )

    first = page_of(anna)
    second = page_of(anna, application=other.application.slug, tool="podman")

    assert "docker pull" in text_of(first)
    image = f"{PROXY}/proxy/{other.application.slug}/quay.io/acme/api:v1"
    assert f"podman pull {image}" in text_of(second)
    for odd in ({"tool": "nothing"}, {"image": "evil:1"}, {"application": "acme"}):
        assert text_of(page_of(anna, **odd)) == text_of(first)


def test_without_a_name_the_installer_helps(anna: Contact, license: License) -> None:
    text = text_of(page_of(anna, tool="docker"))

    assert "has named no image yet" in text
    assert "berth-installer patch" in text
    assert "docker" not in text


@pytest.mark.parametrize(
    "values",
    [{"revoked": True}, {"expires_at": timezone.now() - timedelta(days=1)}],
)
def test_licenses_that_do_not_work_have_no_lines(
    anna: Contact, values: dict[str, Any]
) -> None:
    LicenseFactory(customer=anna.customer, team=anna.team, **values)

    assert "No license works now" in text_of(page_of(anna))


def test_no_secret_is_in_the_page(anna: Contact, license: License) -> None:
    ExternalRegistryFactory(team=anna.team, test_image="acme/api:v1")

    for tool in TOOLS:
        page = page_of(anna, tool=tool).content.decode()
        assert license.license_id.reveal() not in page
        assert f"/c/{anna.customer_id}/credentials" in page


def test_readers_and_members_see_it_and_others_do_not(
    anna: Contact,
    reader: Contact,
    license: License,
    viewer: Membership,
    outsider: Membership,
) -> None:
    ExternalRegistryFactory(team=anna.team, test_image="acme/api:v1")
    stranger = ContactFactory(customer__team=anna.team, email="x@other.example")
    path = f"/c/{anna.customer_id}/install"
    viewed = f"/t/{anna.team.slug}/customers/{anna.customer_id}/view/install"

    assert signed_in(reader).get(path).status_code == 200
    assert member_browser(viewer).get(viewed).status_code == 200
    assert signed_in(stranger).get(path).status_code == 404
    assert member_browser(viewer).get(path).status_code == 404
    assert member_browser(outsider).get(viewed).status_code == 404


IMAGES = [
    IMAGE,
    f"{PROXY}/proxy/kestrel/quay.io/acme/api@sha256:{'0' * 64}",
    "[::1]:5000/kestrel/worker:v3",
]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("image", IMAGES)
def test_lines_are_of_a_shell_and_files_are_yaml(tool: str, image: str) -> None:
    steps = TOOLS[tool].steps(Wanted("kestrel_pro", image, "https://portal.example"))

    for step in steps:
        if step.file:
            assert image.partition("@")[0].rpartition(":")[0] in str(
                yaml.safe_load(step.lines)
            )
            continue
        subprocess.run(["sh", "-n"], input=step.lines, text=True, check=True)
    assert len(steps) > 1
    subprocess.run(["sh", "-n"], input=SAVE_SECRET, text=True, check=True)
