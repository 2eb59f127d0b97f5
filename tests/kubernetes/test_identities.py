"""Pods that pull with the identity of their service account, without any secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.cluster.nodes import NodeSetup, mirrors, node_rbac
from installer.cluster.rules import Rule
from installer.plan.images import Hosts
from licenses.identities.rules import IdentityKind
from licenses.models import IdentityWorkload, TrustedIdentity
from licenses.services import revoke_license
from licenses.services.identities import remove_trusted_identity, trust_identity
from tests.e2e.conftest import Upstream
from tests.kubernetes.conftest import AUDIENCE
from tests.support.kubernetes.control_plane import NODE
from tests.support.kubernetes.customer import (
    Customer,
    deployment_of,
    remove_policy,
)


@pytest.fixture(autouse=True)
def kubelets_may_ask(customer: Customer, node_with_provider: Path) -> Iterator[None]:
    """Let the kubelet ask for tokens, as ``node-audience.yaml`` does."""
    setup = NodeSetup(
        Hosts(customer.namespace, (customer.proxy,)), AUDIENCE, "berth-any"
    )
    customer.plane.kubectl("apply", "-f", "-", stdin=node_rbac(setup))
    yield
    customer.plane.kubectl("delete", "-f", "-", stdin=node_rbac(setup))


def trusted(customer: Customer, account: str = "default") -> TrustedIdentity:
    """Trust a service account of the customer's namespace, by the cluster's keys."""
    return trust_identity(
        actor=customer.vendor.actor,
        license=customer.license,
        label="cluster",
        kind=IdentityKind.KUBERNETES,
        issuer=customer.plane.issuer,
        rules={"namespace": customer.namespace, "service_account": account},
        audience=AUDIENCE,
        # A cluster on the loopback interface is as private as can be.
        key_set=customer.plane.kubectl("get", "--raw", "/openid/v1/jwks"),
    )


def test_a_pod_pulls_without_a_secret_until_its_identity_is_removed(
    customer: Customer, image: str
) -> None:
    identity, name = trusted(customer), customer.proxied(image)

    allowed = customer.pull("no secret, identity trusted", "allowed", name)
    customer.wait_until_running("allowed")
    remove_trusted_identity(actor=customer.vendor.actor, identity=identity)
    refused = customer.pull("no secret, identity removed", "refused", name)

    assert allowed.reason == "Pulled"
    assert customer.pod("allowed")["spec"].get("imagePullSecrets") is None
    workload = IdentityWorkload.objects.get(identity=identity)
    assert workload.name == f"{customer.namespace}/default"
    assert workload.last_used_node == NODE
    assert refused.reason == "Failed"
    assert "This trusted identity was removed on " in refused.message
    assert customer.pod("refused")["status"]["phase"] == "Pending"


def test_another_service_account_is_refused(customer: Customer, image: str) -> None:
    trusted(customer, "installer")

    refused = customer.pull(
        "no secret, another service account", "pod", customer.proxied(image)
    )

    assert refused.reason == "Failed"
    assert "No trusted identity accepts this token" in refused.message
    subject = f"system:serviceaccount:{customer.namespace}:default"
    assert f"its subject {subject}, its audience {AUDIENCE}" in refused.message


def test_a_revoked_license_refuses_its_identities(
    customer: Customer, image: str
) -> None:
    trusted(customer)
    revoke_license(actor=customer.vendor.actor, license=customer.license, reason="x")

    refused = customer.pull(
        "no secret, license revoked", "pod", customer.proxied(image)
    )

    assert refused.reason == "Failed"
    assert "This license was revoked on " in refused.message


def test_a_mirrored_registry_is_pulled_through_the_proxy(
    customer: Customer,
    image: str,
    node_with_provider: Path,
    basic_upstream: Upstream,
) -> None:
    trusted(customer)
    original = f"{basic_upstream.endpoint}/{image}"
    without = customer.pull("unproxied name, no mirror", "without", original)
    setup = NodeSetup(
        hosts=Hosts(customer.namespace, (customer.proxy,)),
        audience=AUDIENCE,
        provider="berth-any",
        plain_http=frozenset({customer.proxy}),
        mirrored=[Rule(f"{basic_upstream.endpoint}/", "sample")],
    )
    ((host, text),) = mirrors(setup).items()
    place = node_with_provider / host
    place.mkdir()
    (place / "hosts.toml").write_text(text)
    try:
        pulled = customer.pull("unproxied name, mirrored", "mirrored", original)
        customer.wait_until_running("mirrored")
    finally:
        (place / "hosts.toml").unlink()
        place.rmdir()

    assert without.reason == "Failed"
    assert pulled.reason == "Pulled"
    assert f'"{original}"' in pulled.message


def test_a_deployment_with_the_vendors_names_runs_without_a_secret(
    customer: Customer, image: str, basic_upstream: Upstream
) -> None:
    trusted(customer)
    written = customer.installer("policy", "--identity")
    label = f"berth-application={customer.namespace}"
    customer.plane.kubectl("label", "namespace", customer.namespace, label)
    original = f"{basic_upstream.endpoint}/{image}"
    try:
        customer.plane.kubectl("apply", "-f", "-", stdin=written.stdout)
        customer.wait_for_policy(original)
        customer.plane.apply(deployment_of(customer.namespace, original))
        name = customer.pod_of_deployment()
        told = customer.story("a Deployment with an unproxied name, no secret", name)
        customer.wait_until_running(name)
    finally:
        remove_policy(customer.plane, f"berth-{customer.namespace}")

    assert f'Successfully pulled image "{customer.proxied(image)}"' in told.message
    assert customer.pod(name)["spec"].get("imagePullSecrets") is None
