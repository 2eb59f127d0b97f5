"""Which part of the scopes that a login asks for its token grants."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from edge.token import grant
from edge.token.grant import wanted_image
from licenses.models import License
from oci.scope import parse_scopes
from portal.crypto.secrets import Secret
from registries.decision.credentials import PresentedCredential
from registries.decision.query import fetch_facts
from tests.support.rows.factories import pull_credential
from tests.support.rows.vendor import Vendor, create_vendor

PROXY, PRIVATE = "the-proxy", "the-registry"


@pytest.fixture
def vendor(db: None, settings: Any) -> Vendor:
    settings.BERTH_PROXY_SERVICE = PROXY
    settings.BERTH_REGISTRY_SERVICE = PRIVATE
    vendor = create_vendor("acme")
    vendor.connect("quay.io", "quay", patterns=("org/*",))
    return vendor


def holder(secret: Secret | License, username: str = "x") -> PresentedCredential:
    text = secret.license_id if isinstance(secret, License) else secret
    return PresentedCredential(username, Secret(text.reveal()))


ADDRESS = "192.0.2.1"


def granted(service: str, who: PresentedCredential, *scopes: str) -> list[str]:
    asked = parse_scopes(scopes)
    facts = fetch_facts(who, [wanted_image(service, scope) for scope in asked])
    assert facts.holder is not None
    return [str(scope) for scope in grant.granted(service, asked, facts, ADDRESS)]


# "acme-app" is the application's slug.
@pytest.mark.parametrize(
    ("service", "scope", "expected"),
    [
        (PROXY, "repository:proxy/acme-app/quay.io/org/a:pull", "pull"),
        (PROXY, "repository:proxy/acme-app/quay/org/a:pull", "pull"),
        (PROXY, "repository:proxy/acme-app/quay.io/org/a:pull,push", "pull"),
        (PROXY, "repository:proxy/acme-app/quay.io/org/a:push", None),
        (PROXY, "repository:proxy/acme-app/quay.io/org/a:delete", None),
        (PROXY, "repository:proxy/acme-app/quay.io/other/a:pull", None),
        (PROXY, "repository:proxy/acme-app/ghcr.io/org/a:pull", None),
        (PROXY, "repository:proxy/other-app/quay.io/org/a:pull", None),
        (PROXY, "repository:proxy/acme-app:pull", None),
        (PROXY, "repository:acme-app/a:pull", None),
        (PROXY, "registry:catalog:*", None),
        (PRIVATE, "repository:acme-app/a:pull", "pull"),
        (PRIVATE, "repository:acme-app/a/b:pull", "pull"),
        (PRIVATE, "repository:acme-app/a:pull,push", "pull"),
        (PRIVATE, "repository:acme-app/a:push", None),
        (PRIVATE, "repository:acme-app/a:delete", None),
        (PRIVATE, "repository:acme-app/a:*", None),
        (PRIVATE, "repository:acme-app:pull", None),
        (PRIVATE, "repository:other-app/a:pull", None),
        (PRIVATE, "repository:app/a/b:pull", None),
        (PRIVATE, "repository:proxy/acme-app/quay.io/org/a:pull", None),
        (PRIVATE, "registry:catalog:*", None),
    ],
)
def test_a_license_pulls_images_of_its_application(
    vendor: Vendor, service: str, scope: str, expected: str | None
) -> None:
    name = scope.rpartition(":")[0]

    grants = granted(service, holder(vendor.license()), scope)

    assert grants == ([f"{name}:{expected}"] if expected else [])


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("repository:acme-app/a:pull", "pull"),
        ("repository:acme-app/a:push,pull", "push,pull"),
        ("repository:acme-app/a/b:delete", "delete"),
        ("repository:acme-app/a:pull,push,delete,admin", "pull,push,delete"),
        ("repository:acme-app:pull,push", None),
        ("repository:rival-app/a:pull,push", None),
    ],
)
def test_an_owner_pushes_to_the_private_registry(
    vendor: Vendor, scope: str, expected: str | None
) -> None:
    create_vendor("rival")
    _, secret = vendor.api_token()
    name = scope.rpartition(":")[0]

    grants = granted(PRIVATE, holder(secret, vendor.owner.email), scope)

    assert grants == ([f"{name}:{expected}"] if expected else [])


def test_an_owner_pulls_through_the_proxy_and_pushes_nothing(vendor: Vendor) -> None:
    _, secret = vendor.api_token()
    scope = "repository:proxy/acme-app/quay.io/org/a:pull,push"

    grants = granted(PROXY, holder(secret, vendor.owner.email), scope)

    assert grants == ["repository:proxy/acme-app/quay.io/org/a:pull"]


def test_each_scope_is_granted_for_itself_in_order(vendor: Vendor) -> None:
    names = ["org/b", "other/a", "org/a"]
    scopes = [f"repository:proxy/acme-app/quay.io/{name}:pull" for name in names]

    grants = granted(PROXY, holder(vendor.license()), *scopes)

    assert grants == [scopes[0], scopes[2]]


@pytest.mark.parametrize("service", [PROXY, PRIVATE])
def test_an_expired_license_gets_nothing(vendor: Vendor, service: str) -> None:
    license = vendor.license()
    License.objects.filter(pk=license.pk).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    scopes = (
        "repository:acme-app/a:pull",
        "repository:proxy/acme-app/quay.io/org/a:pull",
    )

    assert granted(service, holder(license), *scopes) == []


@pytest.mark.parametrize(
    ("networks", "granted_part"), [(["192.0.2.0/24"], "pull"), (["10.0.0.0/8"], "")]
)
@pytest.mark.parametrize(
    ("service", "scope"),
    [
        (PRIVATE, "repository:acme-app/a:pull"),
        (PROXY, "repository:proxy/acme-app/quay.io/org/a:pull"),
    ],
)
def test_a_pull_credential_gets_nothing_from_elsewhere(
    vendor: Vendor, service: str, scope: str, networks: list[str], granted_part: str
) -> None:
    _, text = pull_credential(vendor.license(), networks=networks)
    who = PresentedCredential("any", Secret(text))

    assert granted(service, who, scope) == ([scope] if granted_part else [])
