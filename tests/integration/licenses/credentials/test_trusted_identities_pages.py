"""The vendor's dialogs of trusted identities, and what the license's page shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from licenses.identities.rules import GITHUB_ISSUER
from licenses.models import IdentityWorkload, IssuerKeys, License, TrustedIdentity
from teams.models import Membership
from tests.support.issuers.token_issuer import (
    TokenIssuer,
    key_set,
    new_key,
    token_issuer,
)
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import seen, signed_in, submission
from tests.support.rows.factories import LicenseFactory, PullEventFactory
from tests.support.rows.identities import TrustedIdentityFactory, publish, trusted


@pytest.fixture
def license(owner: Membership) -> License:
    return LicenseFactory(team=owner.team)


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


@pytest.fixture
def page(license: License) -> str:
    return f"/t/acme/licenses/{license.pk}"


@pytest.fixture
def path(page: str) -> str:
    return f"{page}/trusted-identities"


@pytest.fixture
def issuer() -> Iterator[TokenIssuer]:
    with token_issuer() as running:
        yield running


def post(browser: Client, address: str, **values: str) -> Any:
    form = submission()
    return browser.post(address, {**form, "audience": "images.example", **values})


KUBERNETES = {
    "label": "Cluster",
    "issuer": "https://cluster.example",
    "namespace": "prod-*",
    "service_account": "api",
    "key_set": key_set(new_key()),
}


@pytest.mark.parametrize(
    ("kind", "values", "rules"),
    [
        (
            "kubernetes",
            KUBERNETES,
            {"namespace": "prod-*", "service_account": "api"},
        ),
        (
            "github",
            {"label": "CI", "issuer": GITHUB_ISSUER, "repository": "acme/*"},
            {"repository": "acme/*"},
        ),
        (
            "gitlab",
            {
                "label": "CI",
                "issuer": "https://gitlab.acme.example",
                "project_path": "acme/app",
                "ref": "main",
                "key_set": key_set(new_key()),
            },
            {"project_path": "acme/app", "ref": "main"},
        ),
        (
            "other",
            {
                "label": "CI",
                "issuer": "https://ci.example",
                "claims_text": "sub = job:1\r\n\r\nenv=prod=eu*",
                "key_set": key_set(new_key()),
            },
            {"sub": "job:1", "env": "prod=eu*"},
        ),
    ],
)
def test_each_kind_has_a_dialog(
    browser: Client,
    page: str,
    path: str,
    kind: str,
    values: dict[str, str],
    rules: dict[str, str],
) -> None:
    publish(TokenIssuer(GITHUB_ISSUER))

    response = post(browser, f"{path}/new/{kind}", **values)

    assert response.status_code == 302, text_of(response)
    identity = TrustedIdentity.objects.get()
    assert (identity.kind, identity.rules) == (kind, rules)
    assert identity.issuer == values["issuer"]
    assert identity.audience == "images.example"
    shown = browser.get(page)
    text = text_of(shown)
    assert f"{values['label']} is trusted now." in text
    for words in identity.rules_in_words:
        assert words in text
    assert "by owner@acme.example" in text


def test_a_form_sent_twice_adds_one(browser: Client, path: str) -> None:
    address = f"{path}/new/kubernetes"
    values = {**submission(), **KUBERNETES, "audience": "a"}

    first, second = browser.post(address, values), browser.post(address, values)

    assert (first.status_code, second.status_code) == (302, 302)
    assert TrustedIdentity.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        ("kubernetes", {"namespace": "*"}, "namespace"),
        ("kubernetes", {"issuer": "cluster"}, "issuer"),
        ("kubernetes", {"key_set": "x"}, "key_set"),
        ("kubernetes", {"audience": KUBERNETES["issuer"]}, "audience"),
        ("kubernetes", {"key_set": "", "issuer": "https://issuer.invalid"}, "issuer"),
        ("github", {"repository": "acme*"}, "repository"),
        ("other", {"claims_text": "sub"}, "claims_text"),
        ("other", {"claims_text": "sub=a\nsub=b"}, "claims_text"),
        ("other", {"claims_text": "iss=a"}, "claims_text"),
    ],
)
def test_mistakes_are_shown_at_their_field(
    browser: Client, path: str, kind: str, changes: dict[str, str], field: str
) -> None:
    issuer = GITHUB_ISSUER if kind == "github" else KUBERNETES["issuer"]

    response = post(
        browser, f"{path}/new/{kind}", **{**KUBERNETES, "issuer": issuer, **changes}
    )

    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    assert not TrustedIdentity.objects.exists()


def test_an_unknown_kind_is_no_page(browser: Client, path: str) -> None:
    assert browser.get(f"{path}/new/ldap").status_code == 404


def test_published_keys_are_read_when_it_is_added(
    browser: Client, path: str, issuer: TokenIssuer
) -> None:
    values = {**KUBERNETES, "issuer": issuer.issuer, "key_set": ""}

    assert post(browser, f"{path}/new/kubernetes", **values).status_code == 302

    assert TrustedIdentity.objects.get().key_set == ""
    assert IssuerKeys.objects.get().key_set == issuer.key_set


def test_label_and_keys_change_and_it_is_removed(
    browser: Client, page: str, path: str, license: License
) -> None:
    identity = TrustedIdentityFactory(license=license, label="Old")
    address = f"{path}/{identity.pk}"
    both = key_set(new_key("a"), new_key("b", "ES256"))

    form = {**seen(browser, f"{address}/edit"), "label": "New", "key_set": both}
    assert browser.post(f"{address}/edit", form).status_code == 302
    identity.refresh_from_db()
    assert (identity.label, identity.kids) == ("New", ["a", "b"])
    unread = {**seen(browser, f"{address}/edit"), "label": "New", "key_set": ""}
    refused = browser.post(f"{address}/edit", unread)
    assert list(refused.context["form"].errors) == ["key_set"]
    assert browser.post(f"{address}/remove").status_code == 302

    identity.refresh_from_db()
    assert identity.removed_by_label == "owner@acme.example"
    assert identity.key_set == both
    text = text_of(browser.get(page))
    assert "removed now by owner@acme.example" in text
    assert f"{address}/edit" not in browser.get(page).content.decode()


def test_the_page_shows_uses_and_keys_that_cannot_be_read(
    browser: Client, page: str, license: License
) -> None:
    issuer = TokenIssuer("https://cluster.example")
    identity = trusted(license, issuer, uploaded=False)
    now = timezone.now()
    for number in range(2, 7):
        IdentityWorkload.objects.create(
            team=license.team,
            identity=identity,
            number=number,
            name=f"prod/app{number}",
            last_used_at=now - timedelta(hours=number),
            last_used_node="node-7",
            last_used_address="192.0.2.7",
            last_used_client="containerd/2.1",
        )
    IssuerKeys.objects.update(problem="https://cluster.example refused it.")

    text = text_of(browser.get(page))

    assert "on node-7 from 192.0.2.7" in text
    assert "prod/app2" in text
    assert "and 2 more" in text
    assert "prod/app5" not in text
    assert "Keys could not be read: https://cluster.example refused it." in text


def test_a_token_is_tested_and_never_shown_again(
    browser: Client, path: str, license: License
) -> None:
    issuer = TokenIssuer("https://cluster.example")
    identity = trusted(license, issuer)
    good, wrong = issuer.service_account(), issuer.service_account("other")

    accepted = browser.post(f"{path}/test", {"token": good})
    refused = browser.post(f"{path}/test", {"token": wrong})
    nothing = browser.post(f"{path}/test", {"token": ""})
    expired = browser.post(f"{path}/test", {"token": issuer.token(exp=1)})

    assert "This token pulls." in text_of(accepted)
    assert f"{identity.label}: accepts it" in text_of(accepted)
    assert "namespace is prod ; the token has other" in text_of(refused)
    assert "This field is required." in text_of(nothing)
    assert "The JWT expired on 1970-01-01" in text_of(expired)
    for response in (accepted, refused, nothing, expired):
        assert response.status_code == 200
        assert "eyJ" not in response.content.decode()
    assert not IdentityWorkload.objects.exists()


def test_pulls_are_filtered_and_explained_by_identity(
    browser: Client, license: License
) -> None:
    identity = trusted(license, TokenIssuer())
    holder = f"identity:{identity.pk}.2"
    common = {"team": license.team, "license": license, "registry": None}
    PullEventFactory(
        **common,
        repository="org/secretless",
        holder=holder,
        credential_id=identity.pk,
        credential_name=f"{identity.label}: prod/api",
        outcome="identity_removed",
    )
    PullEventFactory(**common, repository="org/other")

    page = text_of(browser.get(f"/t/acme/pulls?credential={identity.pk}"))
    why = browser.get(f"/t/acme/why?holder={holder}&image=quay.io/org/api:v1")

    assert "org/secretless" in page
    assert "org/other" not in page
    assert f"the trusted identity {identity.label}." in page
    assert why.status_code == 200
    assert license.customer.name in text_of(why)
