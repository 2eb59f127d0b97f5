"""The dialog that adds a registry, and its errors."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from deploy.local.process import free_port
from licenses.models import Application
from portal.limits.waiting import waiting
from registries.models import Credential, CredentialCheck, ExternalRegistry
from registries.selectors import active_credential
from teams.models import Membership, Team
from tests.integration.registries.conftest import Upstream
from tests.support.pages.registry_forms import SECRET, new
from tests.support.rows.audit import audited
from tests.support.rows.factories import ApplicationFactory, ExternalRegistryFactory
from tests.support.rows.world import rows_of
from tests.support.servers.canned_server import (
    BEARER,
    STRANGE_REALM,
    Answer,
    canned_server,
    registry_answers,
    silent_server,
)

ADD = "/t/acme/registries/add?provider=other"


@pytest.fixture
def browser(client: Client, member: Membership) -> Client:
    client.force_login(member.user)
    return client


@pytest.fixture
def application(team: Team) -> Application:
    return ApplicationFactory(team=team, name="My app", slug="my-app")


def page(response: Any) -> str:
    text: str = response.content.decode()
    assert SECRET not in text
    return text


def problem(response: Any) -> str:
    result = response.context["form"].failed_test
    return result.problem.value if result else ""


def test_htmx_gets_only_the_dialog(browser: Client) -> None:
    part = page(browser.get(ADD, headers={"HX-Request": "true"}))

    assert part.lstrip().startswith('<section class="dialog-form">')


def test_a_busy_team_keeps_what_it_entered(
    browser: Client, upstream: Upstream, team: Team
) -> None:
    body = new(upstream.endpoint, secret=upstream.password, slug="sample")

    with waiting(team.pk), waiting(team.pk):
        response = browser.post(ADD, body)
        part = browser.post(ADD, body, headers={"HX-Request": "true"})

    for answer in (response, part):
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert page(part).lstrip().startswith('<section class="dialog-form">')
    text = page(response)
    assert "Too many of your requests are waiting for other servers." in text
    assert 'value="sample"' in text
    assert f'value="{upstream.endpoint}"' in text
    assert not ExternalRegistry.objects.exists()
    assert upstream.password not in text
    # The same form may be submitted again.
    assert browser.post(ADD, body).status_code == 302


def test_connect_a_registry_that_accepts_the_credential(
    browser: Client, upstream: Upstream, application: Application, team: Team
) -> None:
    body = new(
        f"https://{upstream.endpoint}/",
        secret=upstream.password,
        slug="sample",
        test_image=f"{upstream.endpoint}/my-org/api:v1.0.1",
        shared_with="chosen",
        applications=[str(application.pk)],
        repository_patterns="my-org/*\r\nother-org/api",
        trusted_realm="Auth.Example.com",
    )

    response = browser.post(ADD, body)

    registry = ExternalRegistry.objects.get()
    assert response.status_code == 302
    assert response.headers["Location"] == f"/t/acme/registries/{registry.pk}"
    assert (registry.endpoint, registry.slug) == (upstream.endpoint, "sample")
    assert registry.trusted_realm == "auth.example.com"
    assert registry.repository_patterns == ["my-org/*", "other-org/api"]
    assert registry.test_image == "my-org/api:v1.0.1"
    assert not registry.shared_with_all
    assert list(registry.applications.all()) == [application]
    assert registry.health == "valid"
    assert active_credential(registry).secret.reveal() == upstream.password
    assert audited(team) == [("registry:connected", "sample")]
    assert "The test succeeded." in page(browser.get(response.headers["Location"]))


def test_add_docker_hub_without_a_test(browser: Client) -> None:
    body = new(anyway="1")
    del body["endpoint"]

    response = browser.post("/t/acme/registries/add?provider=dockerhub", body)

    assert response.status_code == 302
    registry = ExternalRegistry.objects.get()
    assert (registry.provider, registry.slug) == ("dockerhub", "index.docker.io")
    assert active_credential(registry).auth_type == "token"
    assert not CredentialCheck.objects.exists()


def test_form_submitted_twice_adds_one_registry(
    browser: Client, upstream: Upstream
) -> None:
    body = new(upstream.endpoint, secret=upstream.password, slug="sample")

    first, second = browser.post(ADD, body), browser.post(ADD, body)

    assert first.headers["Location"] == second.headers["Location"]
    assert ExternalRegistry.objects.count() == 1
    assert Credential.objects.count() == 1


def test_save_anyway_is_offered_after_a_failed_test_and_then_works(
    browser: Client, upstream: Upstream, team: Team
) -> None:
    body = new(upstream.endpoint, slug="sample")
    assert "Save anyway" not in page(browser.get(ADD))

    failed = browser.post(ADD, body)

    assert problem(failed) == "wrong_credential"
    text = page(failed)
    assert text.index("Test and save") < text.index("Save anyway</button>")
    assert "Enter it again" in text
    assert 'value="puller"' in text
    assert failed.context["form"].errors == {"secret": ["Wrong username or password."]}
    assert not ExternalRegistry.objects.exists()
    assert audited(team) == []

    saved = browser.post(ADD, body | {"anyway": "1"})

    registry = ExternalRegistry.objects.get()
    assert saved.headers["Location"] == f"/t/acme/registries/{registry.pk}"
    assert active_credential(registry).secret.reveal() == SECRET
    assert "saved without a test" in page(browser.get(saved.headers["Location"]))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("my-org/api:v1.0.1", ""),
        ("my-org/api:v9", "no_such_image"),
        ("my-org/nope:v1", "no_such_image"),
    ],
)
def test_test_image_is_looked_up(
    image: str, expected: str, browser: Client, upstream: Upstream
) -> None:
    body = new(upstream.endpoint, secret=upstream.password, slug="s", test_image=image)

    response = browser.post(ADD, body)

    assert ExternalRegistry.objects.exists() is (expected == "")
    if expected:
        assert problem(response) == expected
        assert response.context["form"].errors == {"test_image": ["Image not found."]}


@pytest.mark.parametrize(
    ("answers", "expected", "field", "detail"),
    [
        (
            {"/": Answer(200, {"Content-Type": "text/html"}, b"<h1>Hi</h1>")},
            *("not_a_registry", "endpoint", "may be a web page"),
        ),
        ({}, "not_a_registry", "endpoint", "does not speak the registry API"),
        ({"/v2/": Answer(503)}, "fault", "", "answered with status 503"),
        (
            {"/v2/": Answer(429, {"Retry-After": "17"})},
            *("rate_limited", "", "Try again in 17 seconds."),
        ),
        (
            {"/v2/": Answer(401, STRANGE_REALM)},
            *("realm_not_trusted", "trusted_realm", "auth.example.org"),
        ),
        ({"/v2/": Answer(401)}, "fault", "", "without saying how"),
        (
            registry_answers({"signed:/v2/my-org/api/": Answer(403)}),
            *("no_access", "test_image", "may not read my-org/api"),
        ),
        (
            BEARER | {"signed:/v2/my-org/api/": Answer(401)},
            *("no_access", "test_image", "may not read my-org/api"),
        ),
        (
            BEARER
            | {"/token?service=s&scope": Answer(403), "signed:/token": BEARER["/token"]}
            | {"signed:/token?service=s&scope": Answer(403)},
            *("no_access", "test_image", "may not read my-org/api"),
        ),
        (
            BEARER | {"signed:/token": Answer(401)},
            *("wrong_credential", "secret", "refused this username and password"),
        ),
        (
            registry_answers({"signed:/v2/": Answer(403)}),
            *("not_let_in", "username", "does not let this account in"),
        ),
    ],
)
def test_failed_test_says_what_the_registry_did(
    answers: dict[str, Answer],
    expected: str,
    field: str,
    detail: str,
    browser: Client,
    team: Team,
    settings: Any,
) -> None:
    before = rows_of(team)
    with canned_server(answers) as endpoint:
        settings.BERTH_INSECURE_REGISTRIES = [endpoint]
        response = browser.post(
            ADD, new(endpoint, slug="s", test_image="my-org/api:v1")
        )

    assert problem(response) == expected
    assert detail in response.context["form"].failed_test.detail
    assert list(response.context["form"].errors) == ([field] if field else [])
    assert "Nothing was saved." in page(response)
    assert rows_of(team) == before


def test_failed_test_says_why_there_is_no_connection(
    browser: Client, settings: Any
) -> None:
    settings.BERTH_UPSTREAM_CONNECT_SECONDS = 0.2
    settings.BERTH_UPSTREAM_READ_SECONDS = 0.2

    def attempt(endpoint: str) -> tuple[str, list[str]]:
        response = browser.post(ADD, new(endpoint, slug="s"))
        page(response)
        return problem(response), list(response.context["form"].errors)

    assert attempt("nope.invalid") == ("name_not_found", ["endpoint"])
    assert attempt(f"127.0.0.1:{free_port()}") == ("connection_refused", ["endpoint"])
    assert attempt("10.0.0.1") == ("address_not_public", ["endpoint"])
    with canned_server({}) as endpoint:
        assert attempt(endpoint) == ("tls", ["endpoint"])
    with silent_server() as endpoint:
        assert attempt(endpoint) == ("timeout", ["endpoint"])
    assert not ExternalRegistry.objects.exists()


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"endpoint": ""}, "endpoint", "required"),
        ({"endpoint": "http://quay.io"}, "endpoint", "without http://"),
        ({"endpoint": "quay.io/my-org"}, "endpoint", "belongs in the image name"),
        ({"endpoint": "no host"}, "endpoint", "Not a valid host"),
        ({"endpoint": "docker.io"}, "endpoint", "This is Docker Hub. Choose it"),
        ({"username": ""}, "username", "required"),
        ({"secret": ""}, "secret", "required"),
        ({"secret": "a" * 16_385}, "secret", "at most 16384"),
        ({"secret": "é" * 16_384}, "secret", "up to 16 KB"),
        ({"slug": "Not a slug"}, "slug", "lower-case letters"),
        ({"slug": "test"}, "slug", "slug is reserved"),
        ({"slug": "taken"}, "slug", "Another registry of the team has this slug"),
        ({"test_image": "UPPER case"}, "test_image", "Not a valid image name"),
        ({"test_image": "quay.io/a/b:c"}, "test_image", "This image is on quay.io"),
        (
            {"trusted_realm": "https://a.example/b"},
            "trusted_realm",
            "Enter only the host",
        ),
        ({"repository_patterns": " "}, "repository_patterns", "at least one pattern"),
        (
            {"repository_patterns": "UPPER"},
            "repository_patterns",
            "is not a valid pattern",
        ),
        (
            {"repository_patterns": "\n".join(f"a{n}" for n in range(51))},
            *("repository_patterns", "at most 50"),
        ),
        ({"shared_with": "chosen"}, "applications", "Select at least one"),
        (
            {"shared_with": "chosen", "applications": [str(uuid.UUID(int=1))]},
            *("applications", "not one of the available choices"),
        ),
    ],
)
def test_errors_are_shown_beside_their_field(
    values: dict[str, Any],
    field: str,
    message: str,
    browser: Client,
    application: Application,
    team: Team,
) -> None:
    ExternalRegistryFactory(team=team, slug="taken")
    before = rows_of(team)

    response = browser.post(ADD, new(**values) | {"anyway": "1"})

    assert response.status_code == 200
    errors = response.context["form"].errors
    assert list(errors) == [field]
    assert message in " ".join(errors[field])
    assert f'id="id_{field}_errors"' in page(response)
    assert rows_of(team) == before
    # The section is opened if the error is inside.
    is_advanced = field in {"trusted_realm", "repository_patterns", "applications"}
    assert ('class="berth-advanced" open' in page(response)) is is_advanced


def test_applications_of_other_teams_cannot_be_chosen(
    browser: Client, application: Application, other_team: Team
) -> None:
    theirs = ApplicationFactory(team=other_team, slug="theirs")

    response = browser.post(
        ADD, new(shared_with="chosen", applications=[str(theirs.pk)], anyway="1")
    )

    assert list(response.context["form"].errors) == ["applications"]
    assert "theirs" not in page(response)
    assert not ExternalRegistry.objects.exists()


def test_other_roles_cannot_add_a_registry(
    client: Client, support: Membership, viewer: Membership
) -> None:
    for membership in (support, viewer):
        client.force_login(membership.user)
        assert client.get(ADD).status_code == 403
        assert client.post(ADD, new(anyway="1")).status_code == 403
    assert not ExternalRegistry.objects.exists()
