"""The expressions of a policy, evaluated by Google's implementation of CEL.

It lacks ``transformList`` and Kubernetes' types of patches: what finds the images in a
Pod, and what changes it, is tried by a real API server in ``tests/kubernetes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from installer.cluster.admission_policy import Rewriting, variables
from installer.cluster.expressions import list_of, literal
from installer.cluster.rules import Rule
from oci.kustomize import home_of
from oci.reference import parse_reference
from tests.support.installer.policy_images import (
    HOSTS,
    KEPT,
    PREFIX,
    RENAMED,
    RULES,
    SECRET,
    SERVED,
)


class Policy:
    """Evaluates the variables of a policy one after the other, as an API server."""

    def __init__(self, rules: Sequence[Rule] = RULES, *, secret: str = SECRET) -> None:
        rewriting = Rewriting(HOSTS, rules, ("a", "b"), secret)
        self._variables = variables(rewriting)

    def __call__(
        self,
        *images: str,
        operation: str = "CREATE",
        before: Sequence[str] = (),
        secrets: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        spec: dict[str, Any] = {"containers": []}
        if secrets is not None:
            spec["imagePullSecrets"] = [{"name": name} for name in secrets]
        old = {"spec": {"containers": [{"image": image} for image in before]}}
        known: dict[str, Any] = {
            "images": [
                [f"/spec/{number}", image] for number, image in enumerate(images)
            ]
        }
        data = {
            "object": {"spec": spec},
            "oldObject": old,
            "request": {"operation": operation},
        }
        for variable in self._variables:
            name, expression = variable["name"], variable["expression"]
            if name != "images":
                known[name] = _evaluated(expression, data | {"variables": known})
        return known

    def names(self, *images: str, **more: Any) -> dict[str, str]:
        """Return the new name of each image that gets one."""
        renamed = dict(self(*images, **more)["renamed"])
        return {
            image: renamed[f"/spec/{number}"]
            for number, image in enumerate(images)
            if f"/spec/{number}" in renamed
        }


def _evaluated(expression: str, data: dict[str, Any]) -> Any:
    environment = cel.NewEnv(
        variables=dict.fromkeys(data, cel.Type.DYN),
        extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()],
    )
    result = environment.compile(expression).eval(data=data)
    assert result.type() != cel.Type.ERROR, result
    return result.plain_value()


def test_every_spelling_is_renamed() -> None:
    assert Policy().names(*RENAMED) == {
        image: f"{PREFIX}{name}" for image, name in RENAMED.items()
    }


def test_everything_else_keeps_its_name() -> None:
    assert Policy().names(*KEPT, *SERVED) == {}


def test_a_policy_does_not_change_what_it_changed() -> None:
    policy = Policy()
    once = policy.names(*RENAMED)

    assert policy.names(*once.values()) == {}


@pytest.mark.parametrize("image", [image for image in RENAMED if image[0] != "Q"])
def test_names_are_read_as_the_installer_reads_them(image: str) -> None:
    full = Policy()(image)["full"][0][1]

    host, repository = home_of(parse_reference(image))
    assert full.startswith(f"{host}/{repository}")


def test_only_images_that_an_update_adds_are_renamed() -> None:
    policy, old, new = Policy(), "quay.io/my-org/api:v1", "quay.io/my-org/api:v2"

    assert policy.names(old, operation="UPDATE", before=[old]) == {}
    renamed = policy.names(old, new, operation="UPDATE", before=[old, "nginx"])
    assert renamed == {new: f"{PREFIX}{new}"}


@pytest.mark.parametrize("image", ["quay.io/my-org/api", *SERVED])
def test_pods_of_our_images_get_the_secret(image: str) -> None:
    policy = Policy()

    assert policy("nginx", image)["wantsSecret"]
    assert policy("nginx", image, secrets=[])["wantsSecret"]
    assert policy("nginx", image, secrets=["other"])["wantsSecret"]
    assert not policy("nginx", image, secrets=["other", SECRET])["wantsSecret"]
    # A Pod's list cannot change later.
    assert not policy("nginx", image, operation="UPDATE")["wantsSecret"]
    assert not Policy(secret="")("nginx", image)["wantsSecret"]


def test_other_pods_get_no_secret() -> None:
    assert not Policy()("nginx", "quay.io/my-org/public")["wantsSecret"]
    assert not Policy()()["wantsSecret"]


def test_the_first_rule_counts() -> None:
    rules = [
        Rule("quay.io/a/", "one", r"^quay\.io/a/x[^:]*:"),
        Rule("quay.io/a/", "two"),
    ]

    assert Policy(rules).names("quay.io/a/x1", "quay.io/a/y") == {
        "quay.io/a/x1": f"{PREFIX}one/a/x1",
        "quay.io/a/y": f"{PREFIX}two/a/y",
    }


@pytest.mark.parametrize(
    "text", ["a'b", 'a"b', "a\\b", "ü\n", r"^quay\.io/[^:]*:", "", "\\'"]
)
def test_literals_are_texts_again(text: str) -> None:
    assert _evaluated(literal(text), {}) == text
    assert _evaluated(list_of([text, "x"]), {}) == [text, "x"]
