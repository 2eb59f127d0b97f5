from __future__ import annotations

import base64
import json

import pytest
import yaml

from oci.pod_images import KubernetesObject, PodSpec
from oci.pull_secrets import (
    docker_config,
    pull_secret,
    pull_secret_name,
    pull_secret_patches,
)

WEB = KubernetesObject("apps/v1", "Deployment", "web.example", "")
THING = KubernetesObject("example.com/v1", "Thing", "one", "")
POD = KubernetesObject("v1", "Pod", "one", "prod")
NAME = "my-app-registry"


def test_the_secret_logs_in_to_all_hosts_with_the_license() -> None:
    config = docker_config(["proxy.test", "registry.test", "proxy.test"], "license-id")
    secret = pull_secret(pull_secret_name("my-app"), config, "prod")

    data = secret.pop("data")[".dockerconfigjson"]
    assert secret == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": NAME, "namespace": "prod"},
        "type": "kubernetes.io/dockerconfigjson",
    }
    login = base64.b64encode(b"license:license-id").decode()
    assert json.loads(base64.b64decode(data)) == {
        "auths": {"proxy.test": {"auth": login}, "registry.test": {"auth": login}}
    }


def test_the_name_is_one_that_kubernetes_takes() -> None:
    assert pull_secret_name("my_app") == NAME


def test_a_secret_for_wherever_it_is_applied_names_no_namespace() -> None:
    assert pull_secret(NAME, "{}")["metadata"] == {"name": NAME}


def test_a_list_of_secrets_is_made_or_added_to() -> None:
    made, added, named = (
        PodSpec("/spec/a"),
        PodSpec("/spec/b", ("mine",)),
        PodSpec("/spec/c", (NAME,)),
    )

    (patch,) = pull_secret_patches({THING: [made, added, made, named]}, NAME)

    assert yaml.safe_load(patch["patch"]) == [
        {"op": "add", "path": "/spec/a/imagePullSecrets", "value": [{"name": NAME}]},
        {"op": "add", "path": "/spec/b/imagePullSecrets/-", "value": {"name": NAME}},
    ]


@pytest.mark.parametrize("secrets", [None, (), ("mine",)])
def test_kinds_of_kubernetes_itself_are_merged(
    secrets: tuple[str, ...] | None,
) -> None:
    (patch,) = pull_secret_patches(
        {WEB: [PodSpec("/spec/template/spec", secrets)]}, NAME
    )

    assert patch["patch"] == (
        "apiVersion: apps/v1\n"
        "kind: Deployment\n"
        "metadata:\n"
        "  name: web.example\n"
        "spec:\n"
        "  template:\n"
        "    spec:\n"
        "      imagePullSecrets:\n"
        "      - name: my-app-registry\n"
    )


def test_what_only_looks_like_such_a_kind_is_not_merged() -> None:
    rollout = KubernetesObject("argoproj.io/v1", "Deployment", "a", "")

    (patch,) = pull_secret_patches({rollout: [PodSpec("/spec/template/spec")]}, NAME)

    assert yaml.safe_load(patch["patch"])[0]["op"] == "add"


def test_a_target_is_one_object_and_no_other() -> None:
    patches = pull_secret_patches(
        {WEB: [PodSpec("/spec")], POD: [PodSpec("/spec")]}, NAME
    )

    assert [item["target"] for item in patches] == [
        {
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
            "name": r"web\.example",
            "namespace": "default",
        },
        {"version": "v1", "kind": "Pod", "name": "one", "namespace": "prod"},
    ]


def test_objects_without_a_name_are_passed_over() -> None:
    unnamed = KubernetesObject("v1", "Pod", "", "")
    generated = KubernetesObject("v1", "Pod", "one-", "", is_generated=True)
    specs = [PodSpec("/spec")]

    assert pull_secret_patches({unnamed: specs, generated: specs}, NAME) == []


def test_nothing_to_add_is_no_patch() -> None:
    assert pull_secret_patches({POD: [PodSpec("/spec", (NAME,))], WEB: []}, NAME) == []
