"""The dialog's tabs: each has its provider's fields and keeps what was entered."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from licenses.models import Application
from registries.models import ExternalRegistry
from registries.providers import PROVIDERS
from registries.selectors import active_credential
from teams.models import Membership
from tests.support.clients.api import member_client
from tests.support.pages.registry_forms import JSON_KEY, new
from tests.support.rows.factories import ApplicationFactory
from tests.support.rows.identity_keys import new_key

ADD = "/t/acme/registries/add"


@pytest.fixture
def browser(client: Client, member: Membership) -> Client:
    client.force_login(member.user)
    return client


@pytest.fixture
def application(member: Membership) -> Application:
    return ApplicationFactory(team=member.team, name="My app", slug="my-app")


def fields_of(browser: Client, address: str) -> list[str]:
    form = browser.get(address).context["form"]
    advanced = {"submission", "slug", "repository_patterns", "trusted_realm"}
    return [name for name in form.fields if name not in advanced]


def test_each_provider_has_a_tab(browser: Client) -> None:
    text = browser.get(ADD).content.decode()

    tabs = re.findall(r'<a class="nav-link[^>]*>([^<]*)</a>', text)
    titles = [provider.title for provider in PROVIDERS.values()]
    assert tabs[: len(titles)] == titles
    assert titles[:2] == ["Docker Hub", "Other registry"]
    assert text.count('aria-current="page">Docker Hub') == 1
    assert tabs[len(titles) :] == ["Access token", "Password"]


@pytest.mark.parametrize(
    ("query", "fields", "labels"),
    [
        (
            "provider=dockerhub",
            ["username", "secret", "test_image"],
            {"username": "Username", "secret": "Access token"},
        ),
        (
            "provider=dockerhub&auth_type=password",
            ["username", "secret", "test_image"],
            {"username": "Username", "secret": "Password"},
        ),
        (
            "provider=other",
            ["endpoint", "username", "secret", "test_image"],
            {"username": "Username", "secret": "Password"},
        ),
        (
            "provider=quay",
            ["endpoint", "username", "secret", "test_image"],
            {"username": "Robot account", "secret": "Robot token"},
        ),
        ("provider=gar", ["endpoint", "secret", "test_image"], {"secret": "JSON key"}),
        (
            "provider=ecr&auth_type=access_key",
            ["endpoint", "username", "secret", "test_image"],
            {"username": "Access key ID", "secret": "Secret access key"},
        ),
        (
            "provider=ecr&auth_type=iam_role",
            ["endpoint", "username", "test_image"],
            {"username": "Role ARN"},
        ),
    ],
)
def test_a_tab_has_the_fields_of_its_provider(
    query: str, fields: list[str], labels: dict[str, str], browser: Client
) -> None:
    response = browser.get(f"{ADD}?{query}")

    form = response.context["form"]
    assert fields_of(browser, f"{ADD}?{query}") == fields
    assert {name: str(form.fields[name].label) for name in labels} == labels
    text = response.content.decode()
    for label in labels.values():
        assert f">{label}</label>" in text
    assert all(escape(line) in text for line in form.profile.help)


def test_unknown_names_select_the_default(browser: Client) -> None:
    assert browser.get(f"{ADD}?provider=x&auth_type=y").context["form"].auth_type.name
    form = browser.get(f"{ADD}?provider=quay&auth_type=y").context["form"]
    assert (form.profile.name, form.auth_type.name) == ("quay", "robot")


def test_another_tab_keeps_the_values_but_no_secret(
    browser: Client, application: Application
) -> None:
    typed = new(
        username="my-org+puller",
        slug="ours",
        test_image="my-org/api:v1",
        shared_with="chosen",
        applications=[str(application.pk)],
        repository_patterns="my-org/*",
    )

    response = browser.post(f"{ADD}?provider=quay", typed | {"switch": "1"})

    form = response.context["form"]
    assert not form.is_bound
    assert {
        name: form[name].value()
        for name in ("username", "slug", "test_image", "shared_with", "applications")
    } == {
        "username": "my-org+puller",
        "slug": "ours",
        "test_image": "my-org/api:v1",
        "shared_with": "chosen",
        "applications": [str(application.pk)],
    }
    assert form["endpoint"].value() == "quay.io"
    text = response.content.decode()
    assert typed["secret"] not in text
    assert "is-invalid" not in text
    assert not ExternalRegistry.objects.exists()


def test_a_json_key_is_stored_whole_and_not_shown_again(browser: Client) -> None:
    address = f"{ADD}?provider=gar"
    body: dict[str, Any] = new("us-docker.pkg.dev", secret=JSON_KEY)
    del body["username"]

    wrong = browser.post(address, body | {"secret": "{}", "anyway": "1"})
    assert "service_account" in wrong.context["form"].errors["secret"][0]
    assert not ExternalRegistry.objects.exists()

    assert browser.post(address, body | {"anyway": "1"}).status_code == 302
    registry = ExternalRegistry.objects.get()
    version = active_credential(registry)
    assert json.loads(version.secret.reveal()) == json.loads(JSON_KEY)
    assert (version.username.reveal(), version.auth_type) == ("_json_key", "json_key")

    invalid = browser.post(address, body | {"slug": "b", "repository_patterns": ""})
    text = invalid.content.decode()
    assert "<textarea" in text
    assert "PRIVATE KEY" not in text


def test_a_replacement_may_use_another_auth_type(browser: Client) -> None:
    body = new("", username="hubber")
    del body["endpoint"]
    browser.post(f"{ADD}?provider=dockerhub&auth_type=password", body | {"anyway": "1"})
    registry = ExternalRegistry.objects.get()
    address = f"/t/acme/registries/{registry.pk}/credential"

    form = browser.get(address).context["form"]
    assert (form.auth_type.name, form["username"].value()) == ("password", "hubber")
    form = browser.get(f"{address}?auth_type=token").context["form"]
    assert (form.auth_type.name, form["username"].value()) == ("token", "")

    replaced = browser.post(
        f"{address}?auth_type=token", new(username="org") | {"anyway": "1"}
    )
    assert replaced.status_code == 302
    version = active_credential(registry)
    assert (version.auth_type, version.username.reveal()) == ("token", "org")


def test_a_role_shows_its_trust_setup(
    browser: Client, member: Membership, settings: Any
) -> None:
    address = f"{ADD}?provider=ecr&auth_type=iam_role"
    settings.BERTH_ISSUER_URL = settings.BERTH_IDENTITY_KEYS = ""
    assert "is not an identity provider yet" in browser.get(address).content.decode()

    settings.BERTH_ISSUER_URL = "https://berth.example.com"
    settings.BERTH_IDENTITY_KEYS = new_key()
    text = browser.get(address).content.decode()
    assert "https://berth.example.com" in text
    assert "sts.amazonaws.com" in text
    assert f"team:{member.team_id}" in text
    endpoint = "210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn"
    typed = browser.post(address, {"endpoint": endpoint, "switch": "ecr"})
    assert typed.context["form"]["endpoint"].value() == endpoint
    assert "arn:aws-cn:iam::210987654321:oidc-provider" in typed.content.decode()
    other = browser.get(f"{ADD}?provider=ecr").content.decode()
    assert f"team:{member.team_id}" not in other

    api = member_client(member)
    providers = api.get("/registries/providers").json()["results"]
    (ecr,) = [provider for provider in providers if provider["name"] == "ecr"]
    by_key, by_role = ecr["auth_types"]
    assert by_key["trust"] is None
    assert by_role["trust"] == {
        "issuer": "https://berth.example.com",
        "audience": "sts.amazonaws.com",
        "subject": f"team:{member.team_id}",
    }
