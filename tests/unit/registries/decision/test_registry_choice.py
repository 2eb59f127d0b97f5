"""Which registry a pull goes through, and why none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.crypto.secrets import Secret
from registries.decision.pull import (
    AllowedPull,
    authorize_pull,
)
from registries.models import ExternalRegistry
from registries.models.outcomes import Reason
from registries.services import (
    NewCredential,
    NewRegistry,
    change_registry,
    connect_registry,
)
from tests.support.rows.vendor import Vendor, create_vendor
from tests.unit.registries.decision.conftest import (
    license_of,
    presented,
    reason,
    slug_of,
)


@pytest.mark.parametrize(
    ("upstream", "repository"),
    [("ghcr.io", "a"), ("my-org", "api"), ("busybox", ""), ("docker.io", "a/b")],
)
def test_a_registry_that_is_not_connected(
    vendor: Vendor, upstream: str, repository: str
) -> None:
    decision = authorize_pull(license_of(vendor), slug_of(vendor), upstream, repository)

    assert reason(decision) is Reason.REGISTRY_NOT_CONNECTED


def test_another_teams_registry_is_not_connected(vendor: Vendor) -> None:
    create_vendor().connect("ghcr.io", "ghcr.io")

    decision = authorize_pull(license_of(vendor), slug_of(vendor), "ghcr.io", "a")

    assert reason(decision) is Reason.REGISTRY_NOT_CONNECTED


def test_a_registry_that_is_not_shared_with_the_application(vendor: Vendor) -> None:
    other = vendor.another_application("another")
    vendor.connect("ghcr.io", "ghcr.io", applications=[other])

    mine = authorize_pull(license_of(vendor), slug_of(vendor), "ghcr.io", "a")
    theirs = authorize_pull(
        presented(vendor.license(application=other).license_id.reveal()),
        other.slug,
        "ghcr.io",
        "a",
    )

    assert reason(mine) is Reason.REGISTRY_NOT_SHARED
    assert isinstance(theirs, AllowedPull)


def test_a_repository_that_no_pattern_covers(vendor: Vendor) -> None:
    registry = ExternalRegistry.objects.get(team=vendor.team)
    change_registry(
        actor=vendor.actor,
        registry=registry,
        changes={"repository_patterns": ["my-org/*", "other/api"]},
    )
    credential = license_of(vendor)

    def ask(repository: str) -> object:
        return authorize_pull(credential, slug_of(vendor), "quay.io", repository)

    assert isinstance(ask("my-org/api"), AllowedPull)
    assert isinstance(ask("my-org/deep/er"), AllowedPull)
    assert isinstance(ask("other/api"), AllowedPull)
    assert reason(ask("other/api2")) is Reason.REPOSITORY_NOT_ALLOWED
    assert reason(ask("my-organisation/api")) is Reason.REPOSITORY_NOT_ALLOWED
    assert reason(ask("")) is Reason.REPOSITORY_NOT_ALLOWED


def connect_docker_hub(vendor: Vendor, patterns: tuple[str, ...] = ("*",)) -> None:
    connect_registry(
        actor=vendor.actor,
        team=vendor.team,
        new=NewRegistry(
            provider="dockerhub",
            endpoint="",
            credential=NewCredential("token", "hubber", Secret("hub-token")),
            repository_patterns=patterns,
        ),
        skip_test=True,
    )


@pytest.mark.parametrize(
    ("upstream", "repository", "expected"),
    [
        ("busybox", "", "library/busybox"),
        ("my-org", "api", "my-org/api"),
        ("my-org", "deep/api", "my-org/deep/api"),
        ("library", "busybox", "library/busybox"),
        ("docker.io", "busybox", "library/busybox"),
        ("docker.io", "library/busybox", "library/busybox"),
        ("index.docker.io", "my-org/api", "my-org/api"),
        ("registry-1.docker.io", "my-org/api", "my-org/api"),
    ],
)
def test_docker_hub_in_all_its_spellings(
    vendor: Vendor, upstream: str, repository: str, expected: str
) -> None:
    connect_docker_hub(vendor)

    decision = authorize_pull(license_of(vendor), slug_of(vendor), upstream, repository)

    assert isinstance(decision, AllowedPull)
    assert decision.repository == expected
    assert decision.registry.endpoint == "index.docker.io"


def test_patterns_are_about_the_full_name_on_docker_hub(vendor: Vendor) -> None:
    connect_docker_hub(vendor, patterns=("my-org/*",))

    decision = authorize_pull(license_of(vendor), slug_of(vendor), "busybox", "")

    assert reason(decision) is Reason.REPOSITORY_NOT_ALLOWED


def test_a_slug_comes_before_a_host_and_before_docker_hub(vendor: Vendor) -> None:
    connect_docker_hub(vendor)
    vendor.connect("registry.example.com:5000", "my-org")
    vendor.connect("somewhere.example", "ghcr.io")
    vendor.connect("ghcr.io", "real-ghcr")
    credential = license_of(vendor)

    def endpoint(upstream: str) -> str:
        decision = authorize_pull(credential, slug_of(vendor), upstream, "api")
        assert isinstance(decision, AllowedPull)
        return decision.registry.endpoint

    assert endpoint("my-org") == "registry.example.com:5000"
    assert endpoint("ghcr.io") == "somewhere.example"
    assert endpoint("another-org") == "index.docker.io"


def test_the_slug_comes_first_even_if_the_endpoint_was_connected_first(
    vendor: Vendor,
) -> None:
    vendor.connect("ghcr.io", "real-ghcr")
    vendor.connect("somewhere.example", "ghcr.io")

    decision = authorize_pull(license_of(vendor), slug_of(vendor), "ghcr.io", "api")

    assert isinstance(decision, AllowedPull)
    assert decision.registry.endpoint == "somewhere.example"


def test_the_oldest_of_several_registries_is_tried_first(vendor: Vendor) -> None:
    for slug in ("third", "first", "second"):
        vendor.connect("ghcr.io", slug)
    for days, slug in enumerate(("third", "second", "first")):
        ExternalRegistry.objects.filter(slug=slug).update(
            created_at=timezone.now() - timedelta(days=days)
        )

    decision = authorize_pull(license_of(vendor), slug_of(vendor), "ghcr.io", "api")

    assert isinstance(decision, AllowedPull)
    assert decision.registry.slug == "first"


def test_of_two_registries_with_one_endpoint_the_one_that_allows_it_is_taken(
    vendor: Vendor,
) -> None:
    other = vendor.another_application("another")
    vendor.connect("ghcr.io", "first", applications=[other])
    vendor.connect("ghcr.io", "second", patterns=("web/*",))
    vendor.connect("ghcr.io", "third", patterns=("api/*",))

    decision = authorize_pull(license_of(vendor), slug_of(vendor), "ghcr.io", "api/x")

    assert isinstance(decision, AllowedPull)
    assert decision.registry.slug == "third"
