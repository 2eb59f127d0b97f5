"""The policy of ``berth-installer policy``, evaluated by a real API server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from installer.cluster.admission_policy import Rewriting, admission_policy
from installer.cluster.rules import Rule
from tests.e2e.conftest import Upstream
from tests.support.installer.policy_images import (
    HOSTS,
    KEPT,
    PREFIX,
    RENAMED,
    RULES,
    SECRET,
    SERVED,
)
from tests.support.kubernetes.control_plane import wait_for
from tests.support.kubernetes.customer import (
    Customer,
    deployment_of,
    pod_of,
    remove_policy,
)

LABEL = "berth-application"
# An API server refuses Pods without one.
SPELLINGS = [*RENAMED, *filter(None, KEPT), *SERVED]


def images_of(pod: Any) -> list[str]:
    return [container["image"] for container in pod["spec"]["containers"]]


def secrets_of(pod: Any) -> list[str]:
    return [secret["name"] for secret in pod["spec"].get("imagePullSecrets", [])]


@pytest.fixture
def policy(customer: Customer) -> Iterator[Callable[..., None]]:
    """Apply a policy for the customer's namespace; removed at the end."""
    # A name of its own: the API server may still have the policy of another test.
    name = {"name": f"berth-{customer.namespace}"}
    plane = customer.plane

    def apply(rules: list[Rule] = RULES, *, secret: str = SECRET) -> None:
        label = (LABEL, customer.namespace)
        policy, binding = admission_policy(Rewriting(HOSTS, rules, label, secret))
        bound = binding["spec"] | {"policyName": name["name"]}
        plane.apply(policy | {"metadata": name})
        plane.apply(binding | {"metadata": name, "spec": bound})
        plane.kubectl("label", "namespace", customer.namespace, "=".join(label))
        customer.wait_for_policy("quay.io/my-org/api")

    yield apply
    remove_policy(plane, name["name"])


def test_every_spelling_by_every_kind_of_container(
    customer: Customer, policy: Callable[..., None]
) -> None:
    policy()
    pod = pod_of("pod", SPELLINGS, secrets=["other"])
    pod["spec"]["initContainers"] = [
        {"name": f"i{number}", "image": image} for number, image in enumerate(SPELLINGS)
    ]
    pod["spec"]["volumes"] = [
        {"name": f"v{number}", "image": {"reference": image}}
        for number, image in enumerate(SPELLINGS)
    ]

    after = customer.admitted(pod)

    expected = [
        PREFIX + RENAMED[image] if image in RENAMED else image for image in SPELLINGS
    ]
    assert images_of(after) == expected
    init = [container["image"] for container in after["spec"]["initContainers"]]
    assert init == expected
    volumes = [volume["image"]["reference"] for volume in after["spec"]["volumes"]]
    assert volumes == expected
    assert secrets_of(after) == ["other", SECRET]


def test_only_labeled_namespaces_and_pods_without_exemption(
    customer: Customer, policy: Callable[..., None]
) -> None:
    policy()
    image = "quay.io/my-org/api"
    exempt = pod_of("pod", [image])
    exempt["metadata"]["labels"] = {"berth-rewrite": "disabled"}

    assert images_of(customer.admitted(exempt)) == [image]
    elsewhere = customer.plane.kubectl(
        *("create", "--dry-run=server", "-n", "default", "-o", "json", "-f", "-"),
        stdin=json.dumps(pod_of("pod", [image])),
    )
    assert images_of(json.loads(elsewhere)) == [image]
    assert secrets_of(customer.admitted(pod_of("pod", ["nginx"]))) == []
    assert secrets_of(customer.admitted(pod_of("pod", [image]))) == [SECRET]


def test_without_a_secret_pods_get_none(
    customer: Customer, policy: Callable[..., None]
) -> None:
    policy(secret="")

    after = customer.admitted(pod_of("pod", ["quay.io/my-org/api"]))

    assert images_of(after) == [f"{PREFIX}quay.io/my-org/api"]
    assert secrets_of(after) == []


def test_updates_rename_only_what_they_add(
    customer: Customer, policy: Callable[..., None]
) -> None:
    image, place = "quay.io/my-org/api", ("-n", customer.namespace)
    # Made before there was a policy; without a node, nothing pulls it.
    before = pod_of("old", [image])
    del before["spec"]["nodeName"]
    before["metadata"]["namespace"] = customer.namespace
    customer.plane.apply(before)
    policy()

    customer.plane.kubectl("label", "pod", "old", "a=b", *place)
    assert images_of(customer.pod("old")) == [image]
    customer.plane.kubectl("set", "image", "pod/old", f"c0={image}:v2", *place)
    assert images_of(customer.pod("old")) == [f"{PREFIX}{image}:v2"]
    # Its list of pull secrets cannot change.
    assert secrets_of(customer.pod("old")) == []
    debugger = {"name": "debug", "image": f"{image}-debug", "targetContainerName": "c0"}
    customer.plane.kubectl(
        *("patch", "pod", "old", "--subresource=ephemeralcontainers", *place),
        *("-p", json.dumps({"spec": {"ephemeralContainers": [debugger]}})),
    )
    (added,) = customer.pod("old")["spec"]["ephemeralContainers"]
    assert added["image"] == f"{PREFIX}{image}-debug"
    assert images_of(customer.pod("old")) == [f"{PREFIX}{image}:v2"]


@pytest.mark.parametrize(
    ("rules", "is_within"), [(500, True), (1000, False)], ids=["500", "1000"]
)
def test_the_limit_of_cost(
    rules: int, is_within: bool, customer: Customer, policy: Callable[..., None]
) -> None:
    many = [
        Rule(f"registry.example.com/organization-{number}/", "quay.io")
        for number in range(rules - 1)
    ]
    policy([*many, Rule("quay.io/my-org/", "quay.io")])
    pod = pod_of("pod", [f"quay.io/my-org/api-{number}:v1" for number in range(200)])

    ran = customer.dry_run(pod)

    assert (ran.returncode == 0) is is_within
    if is_within:
        after = images_of(json.loads(ran.stdout))
        assert all(image.startswith(PREFIX) for image in after)
    else:
        assert "cost limit exceeded" in ran.stderr


@pytest.mark.usefixtures("node_with_provider")
def test_a_deployment_with_the_vendors_names_runs(
    customer: Customer, image: str, basic_upstream: Upstream
) -> None:
    original = f"{basic_upstream.endpoint}/{image}"
    written = customer.installer("policy")
    customer.apply_secret()
    try:
        customer.plane.kubectl("apply", "-f", "-", stdin=written.stdout)
        label = f"{LABEL}={customer.namespace}"
        customer.plane.kubectl("label", "namespace", customer.namespace, label)
        deployment = deployment_of(customer.namespace, original)
        file = customer.directory / "deployment.yaml"
        file.write_text(yaml.safe_dump(deployment))
        renamed = f"c0: {original} -> {customer.proxied(image)}"
        wait_for(
            lambda: renamed in customer.installer("policy", "--check", file).stdout,
            lambda: customer.installer("policy", "--check", file).stdout,
        )
        assert customer.plane.get("pods", "-n", customer.namespace)["items"] == []

        customer.plane.apply(deployment)
        name = customer.pod_of_deployment()
        told = customer.story("a Deployment with an unproxied name", name)
        customer.wait_until_running(name)
    finally:
        remove_policy(customer.plane, f"berth-{customer.namespace}")

    assert f'Successfully pulled image "{customer.proxied(image)}"' in told.message
    pod = customer.pod(name)
    assert images_of(pod) == [customer.proxied(image)]
    assert secrets_of(pod) == [f"{customer.namespace}-registry"]
    # What git has, the cluster has: nothing drifts.
    stored = customer.plane.get("deployment", "web", "-n", customer.namespace)
    assert images_of(stored["spec"]["template"]) == [original]
