"""The images that a vendor lists: refused, shown to customers, and hidden again."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from audit.tags import EventTag
from customers.models import Contact, ListedImage
from customers.services.listed_images import list_images
from licenses.models import Application, License
from registries.models import ExternalRegistry
from teams.actors import Actor
from teams.models import Membership, Team
from tests.integration.customers.conftest import signed_in
from tests.integration.customers.test_customer_pages import own
from tests.support.clients.api import ApiClient
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import message_of, seen
from tests.support.pages.team_pages import signed_in as member_browser
from tests.support.rows.factories import (
    ApplicationFactory,
    ExternalRegistryFactory,
    ImageTagFactory,
    LicenseFactory,
)
from tests.support.rows.world import rows_of

PROXY, PRIVATE = "images.acme.example", "registry.acme.example"
PAGE = "/t/acme/applications/kestrel"
EDIT = f"{PAGE}/listed-images"
API = "/applications/kestrel/listed-images"
DIGEST = "sha256:" + "0" * 64
PROXIED = f"{PROXY}/proxy/kestrel/quay.io/acme/api:v1"


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = PROXY
    settings.BERTH_REGISTRY_HOST = PRIVATE


@pytest.fixture
def application(team: Team) -> Application:
    made: Application = ApplicationFactory(team=team, slug="kestrel", name="Kestrel")
    return made


@pytest.fixture(autouse=True)
def quay(team: Team) -> ExternalRegistry:
    made: ExternalRegistry = ExternalRegistryFactory(
        team=team, endpoint="quay.io", slug="quay", repository_patterns=["acme/*"]
    )
    return made


@pytest.fixture
def browser(owner: Membership, application: Application) -> Client:
    return member_browser(owner)


@pytest.fixture
def license(anna: Contact, application: Application) -> License:
    return LicenseFactory(
        team=anna.team, customer=anna.customer, application=application
    )


def save(browser: Client, *lines: str) -> Any:
    return browser.post(EDIT, {"images": "\r\n".join(lines)} | seen(browser, EDIT))


def stored() -> list[tuple[str, str]]:
    rows = ListedImage.objects.order_by("position")
    return list(rows.values_list("name", "description"))


def pushed(application: Application, name: str, tag: str) -> None:
    ImageTagFactory(
        manifest__repository__application=application,
        manifest__repository__name=name,
        name=tag,
    )


def test_a_vendor_lists_images_and_customers_see_them_first(
    browser: Client, application: Application, license: License, anna: Contact
) -> None:
    pushed(application, "worker", "v3")
    pushed(application, "agent", "v1")

    response = save(
        browser,
        "quay.io/acme/web:v2  The web server",
        "",
        f"{PRIVATE}/kestrel/worker:v3",
        f"docker://{PROXY}/proxy/kestrel/quay/acme/api@{DIGEST} By its slug",
        "quay.io/acme/tools",
    )

    assert response.headers["Location"] == PAGE
    assert stored() == [
        ("proxy/kestrel/quay.io/acme/web:v2", "The web server"),
        ("kestrel/worker:v3", ""),
        (f"proxy/kestrel/quay/acme/api@{DIGEST}", "By its slug"),
        ("proxy/kestrel/quay.io/acme/tools:latest", ""),
    ]
    event = AuditEvent.objects.get(tag=EventTag.APPLICATION_IMAGES_LISTED)
    assert event.data["images"] == [name for name, _ in stored()]
    assert "The web server shown" in text_of(browser.get(PAGE))
    page = signed_in(anna).get(own(anna, "install"))
    assert [image.name for image in page.context["images"]] == [
        f"{PROXY}/proxy/kestrel/quay.io/acme/web:v2",
        f"{PRIVATE}/kestrel/worker:v3",
        # Install has one form of each name.
        f"{PROXY}/proxy/kestrel/quay.io/acme/api@{DIGEST}",
        f"{PROXY}/proxy/kestrel/quay.io/acme/tools:latest",
        f"{PRIVATE}/kestrel/agent:v1",
    ]
    assert "The web server" in text_of(page)
    assert 'label="From Acme"' in page.content.decode()


def test_the_form_has_names_that_mean_the_same_again(
    browser: Client, application: Application
) -> None:
    ExternalRegistryFactory(
        team=application.team, endpoint="registry.acme.example:5000", slug="in-house"
    )
    ExternalRegistryFactory(team=application.team, endpoint="index.docker.io")
    pushed(application, "worker", "v3")
    lines = [
        "quay.io/acme/web:v2 The web server",
        f"{PRIVATE}/kestrel/worker:v3",
        f"{PROXY}/proxy/kestrel/quay/acme/api@{DIGEST} By its slug",
        f"{PROXY}/proxy/kestrel/in-house/acme/db:v1",
        "docker.io/library/redis:7",
    ]
    save(browser, *lines[:3], "registry.acme.example:5000/acme/db:v1", "redis:7")
    listed = stored()
    assert len(listed) == 5

    shown = browser.get(EDIT).context["form"].initial["images"]
    assert shown.splitlines() == lines
    save(browser, *lines, "quay.io/acme/new:v1")
    assert stored()[:5] == listed


REFUSED = {
    "ghcr.io/acme/api:v1": "No registry ghcr.io is connected.",
    f"{PROXY}/proxy/kestrel/ghcr.io/acme/api": "No registry ghcr.io is connected.",
    "redis:7": "No registry Docker Hub is connected.",
    "hidden.example/acme/api:v1": "The registry hidden is not shared",
    f"{PROXY}/proxy/kestrel/hidden/acme/api": "The registry hidden is not shared",
    "quay.io/other/api:v1": "No pattern of the registry quay covers this repository.",
    f"{PROXY}/proxy/kestrel/quay/other/api": "No pattern of the registry quay covers",
    f"{PROXY}/proxy/osprey/quay/acme/api": "another application's image",
    f"{PRIVATE}/osprey/api:v1": "another application's image",
    f"{PRIVATE}/kestrel/worker:v4": "The private registry has no v4 of worker.",
    "UPPER/case": "is not a repository name",
    "{{.Values.image}}": "It is a template.",
    "berth_pull_abcdefghijkl_0123": "This contains a pull credential",
    "quay.io/acme/first:v1 twice": "It is in the list already.",
    f"quay.io/acme/long:v1 {'a' * 201}": "at most 200 characters",
}


@pytest.mark.parametrize(("line", "words"), REFUSED.items())
def test_what_customers_cannot_pull_is_refused(
    line: str, words: str, browser: Client, application: Application, actor: Actor
) -> None:
    ExternalRegistryFactory(
        team=application.team,
        endpoint="hidden.example",
        slug="hidden",
        shared_with_all=False,
    )
    ApplicationFactory(team=application.team, slug="osprey")
    pushed(application, "worker", "v3")
    kept = [("quay.io/acme/kept:v1", "")]
    list_images(actor=actor, application=application, images=kept)
    before = rows_of(application.team)

    response = save(browser, "quay.io/acme/first:v1", line)

    message = message_of(response, "images")
    assert message.startswith("Image 2: ")
    assert words in message
    assert "berth_pull_abc" not in message
    assert rows_of(application.team) == before


def test_an_image_that_is_no_longer_allowed_is_hidden_and_the_vendor_told(
    browser: Client,
    application: Application,
    license: License,
    anna: Contact,
    quay: ExternalRegistry,
) -> None:
    pushed(application, "worker", "v3")
    save(browser, "quay.io/acme/api:v1", f"{PRIVATE}/kestrel/worker:v3")
    customer = signed_in(anna)

    def names() -> list[str]:
        page = customer.get(own(anna, "install"))
        assert "quay " not in text_of(page)
        return [image.name for image in page.context["images"]]

    assert names() == [PROXIED, f"{PRIVATE}/kestrel/worker:v3"]
    ExternalRegistry.objects.filter(pk=quay.pk).update(shared_with_all=False)
    application.image_repositories.all().delete()

    assert names() == []
    text = text_of(browser.get(PAGE))
    assert "hidden The registry quay is not shared with this application." in text
    assert "hidden The private registry has no v3 of worker." in text
    ExternalRegistry.objects.filter(pk=quay.pk).update(shared_with_all=True)
    assert names() == [PROXIED]


def test_without_the_right_the_list_is_seen_and_not_changed(
    viewer: Membership, browser: Client, application: Application
) -> None:
    save(browser, "quay.io/acme/api:v1")
    reader = member_browser(viewer)
    before = rows_of(application.team)

    page = reader.get(PAGE)

    assert PROXIED in text_of(page)
    assert EDIT not in page.content.decode()
    assert reader.post(EDIT, {"images": ""}).status_code == 403
    assert rows_of(application.team) == before


def test_two_who_edit_do_not_overwrite_each_other(
    browser: Client, application: Application
) -> None:
    shown = seen(browser, EDIT)
    save(browser, "quay.io/acme/api:v1")

    response = browser.post(EDIT, {"images": "quay.io/acme/web:v1"} | shown)

    assert "Now: quay.io/acme/api:v1" in text_of(response)
    assert stored() == [("proxy/kestrel/quay.io/acme/api:v1", "")]


def test_the_list_by_api(
    owner_api: ApiClient, application: Application, license: License
) -> None:
    body = {"images": [{"image": "quay.io/acme/api:v1", "description": "The API"}]}
    expected = {"images": [{"image": PROXIED, "description": "The API", "problem": ""}]}

    assert owner_api.get(API).json() == {"images": []}
    assert owner_api.request("put", API, body).json() == expected
    assert owner_api.get(API).json() == expected
    # What is read can be written, and changes nothing then.
    read = {"images": [{"image": PROXIED, "description": "The API"}]}
    assert owner_api.request("put", API, read).json() == expected
    events = AuditEvent.objects.filter(tag=EventTag.APPLICATION_IMAGES_LISTED)
    assert events.count() == 1

    refused = owner_api.request("put", API, {"images": [{"image": "redis"}]})
    assert refused.status_code == 400
    (message,) = refused.json()["errors"]["images"]
    assert message.startswith("Image 1: No registry Docker Hub is connected.")
    wrong_ones: list[Any] = [{}, {"images": [{}]}, {"images": [{"image": "a/b"}] * 51}]
    for wrong in wrong_ones:
        assert owner_api.request("put", API, wrong).status_code == 400
    assert owner_api.get(API).json() == expected
    assert owner_api.request("put", API, {"images": []}).json() == {"images": []}


def test_the_list_is_changed_as_it_was_read(
    owner_api: ApiClient, application: Application
) -> None:
    body = {"images": [{"image": "quay.io/acme/api:v1"}]}
    etag = owner_api.get(API).headers["ETag"]

    first = owner_api.request("put", API, body, headers={"If-Match": etag})
    second = owner_api.request("put", API, {"images": []}, headers={"If-Match": etag})

    assert (first.status_code, second.status_code) == (200, 412)
    assert second.headers["ETag"] == first.headers["ETag"] != etag
    assert stored() == [(PROXIED.partition("/")[2], "")]


@pytest.mark.parametrize("number", [1, 12])
def test_queries(
    number: int,
    owner_api: ApiClient,
    application: Application,
    actor: Actor,
    django_assert_num_queries: Any,
) -> None:
    pushed(application, "worker", "v3")
    images = [(f"quay.io/acme/api:v{n}", "") for n in range(number)]
    images.append((f"{PRIVATE}/kestrel/worker:v3", ""))
    list_images(actor=actor, application=application, images=images)
    owner_api.get(API)

    # The token and its rights, the application, the list, the registries with their
    # applications and credentials, digests and tags.
    with django_assert_num_queries(9):
        assert len(owner_api.get(API).json()["images"]) == number + 1
