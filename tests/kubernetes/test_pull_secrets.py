"""Pods that pull with a license, by a pull secret: what their events say."""

from __future__ import annotations

import pytest

from licenses.services import revoke_license
from oci.pull_secrets import docker_config, pull_secret
from tests.support.kubernetes.customer import Customer

pytestmark = pytest.mark.usefixtures("node_with_provider")
LOG_IN = "Log in with any username and your license ID"


def digest_of(customer: Customer, name: str) -> str:
    (status,) = customer.pod(name)["status"]["containerStatuses"]
    return str(status["imageID"]).rpartition("@")[2]


def test_a_license_pulls_by_tag_and_by_digest_until_it_is_revoked(
    customer: Customer, image: str
) -> None:
    customer.apply_secret()
    secret, name = f"{customer.namespace}-registry", customer.proxied(image)

    by_tag = customer.pull("allowed, by tag", "by-tag", name, secret)
    customer.wait_until_running("by-tag")
    digest = digest_of(customer, "by-tag")
    pinned = f"{name.rpartition(':')[0]}@{digest}"
    by_digest = customer.pull("allowed, by digest", "by-digest", pinned, secret)

    for pulled, what in ((by_tag, name), (by_digest, pinned)):
        assert pulled.reason == "Pulled"
        assert pulled.message.startswith(f'Successfully pulled image "{what}" in ')

    revoke_license(
        actor=customer.vendor.actor, license=customer.license, reason="Did not pay"
    )
    refused = customer.pull("revoked", "revoked", name, secret)

    assert refused.reason == "Failed"
    assert "This license was revoked on " in refused.message
    assert "Did not pay" not in refused.message
    assert customer.pod("revoked")["status"]["phase"] == "Pending"


def test_an_unknown_license_is_told(customer: Customer, image: str) -> None:
    config = docker_config([customer.proxy], "2c8HgTq0V5yWn3RkLm7XzB4pDs1")
    customer.plane.apply(pull_secret("unknown", config, customer.namespace))

    told = customer.pull("unknown license", "pod", customer.proxied(image), "unknown")

    assert told.reason == "Failed"
    assert LOG_IN in told.message


def test_without_a_secret_it_says_to_log_in(customer: Customer, image: str) -> None:
    told = customer.pull("no pull secret", "pod", customer.proxied(image))

    assert told.reason == "Failed"
    assert LOG_IN in told.message


def test_a_pod_without_the_secret_is_refused_although_the_image_is_present(
    customer: Customer, image: str
) -> None:
    customer.apply_secret()
    name, secret = customer.proxied(image), f"{customer.namespace}-registry"
    customer.pull("allowed", "with", name, secret)
    customer.wait_until_running("with")

    told = customer.pull("image present, no pull secret", "without", name)

    assert told.reason == "Failed"
    assert LOG_IN in told.message
