"""The policy of Kubernetes itself: ``MutatingAdmissionPolicy``, since version 1.36.

The parameters are in a ConfigMap, so that another list of rules is no other policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from installer.cluster.expressions import PATCH, VARIABLES, lines_of, rules_of
from installer.cluster.rules import Rule
from installer.plan.images import Hosts
from oci.kustomize import PROXY_PREFIX

API_VERSION: Final = "admissionregistration.k8s.io/v1"
# A Pod with this label keeps the names of its images.
EXEMPTION: Final = ("berth-rewrite", "disabled")


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What a policy does: for which namespaces, by which rules, with which secret.

    ``secret`` is empty if nodes pull with their own identity.
    """

    hosts: Hosts
    rules: Sequence[Rule]
    label: tuple[str, str]
    secret: str
    namespace: str

    @property
    def name(self) -> str:
        return f"berth-{self.hosts.application.replace('_', '-')}"

    @property
    def target(self) -> str:
        """Return what the name of every renamed image begins with."""
        return f"{self.hosts.proxy}/{PROXY_PREFIX}/{self.hosts.application}/"

    @property
    def served(self) -> list[str]:
        """Return what names begin with that are Berth's already."""
        application = self.hosts.application
        return [
            *(f"{host}/{PROXY_PREFIX}/{application}/" for host in self.hosts.proxies),
            *(f"{host}/{application}/" for host in self.hosts.registries),
        ]


def admission_policy(rewriting: Rewriting) -> list[dict[str, Any]]:
    """Return the namespace of the parameters, these, the policy, and its binding."""
    metadata = {"name": rewriting.name}
    namespace = rewriting.namespace
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {**metadata, "namespace": namespace},
            "data": _parameters(rewriting),
        },
        {
            "apiVersion": API_VERSION,
            "kind": "MutatingAdmissionPolicy",
            "metadata": metadata,
            "spec": _policy(),
        },
        {
            "apiVersion": API_VERSION,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": metadata,
            "spec": {
                "policyName": rewriting.name,
                # Without its rules the policy must not let Pods pass unchanged.
                "paramRef": {
                    **metadata,
                    "namespace": namespace,
                    "parameterNotFoundAction": "Deny",
                },
                "matchResources": selectors(rewriting),
            },
        },
    ]


RESOURCE_RULES: Final[list[dict[str, Any]]] = [
    {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    },
    {  # kubectl set image on a Pod, and kubectl debug
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["pods", "pods/ephemeralcontainers"],
    },
]
MUTATIONS: Final = [{"patchType": "JSONPatch", "jsonPatch": {"expression": PATCH}}]


def variables(parameters: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the variables of a policy, from where it has its parameters."""
    return [
        {"name": name, "expression": expression}
        for name, expression in {**parameters, **VARIABLES}.items()
    ]


def selectors(rewriting: Rewriting) -> dict[str, Any]:
    """Return which namespaces a policy is for, and which Pods it leaves alone."""
    key, value = rewriting.label
    exempt, how = EXEMPTION
    return {
        "namespaceSelector": {"matchLabels": {key: value}},
        "objectSelector": {
            "matchExpressions": [{"key": exempt, "operator": "NotIn", "values": [how]}]
        },
    }


def _policy() -> dict[str, Any]:
    return {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": {"resourceRules": RESOURCE_RULES},
        "variables": variables(
            {
                "proxy": "params.data.proxy",
                "secret": "params.data.pullSecret",
                "served": lines_of("params.data.served"),
                "rules": rules_of("params.data.rules"),
            }
        ),
        "mutations": MUTATIONS,
    }


def _parameters(rewriting: Rewriting) -> dict[str, str]:
    return {
        "proxy": rewriting.target,
        "pullSecret": rewriting.secret,
        "served": "".join(f"{prefix}\n" for prefix in rewriting.served),
        "rules": "".join(f"{rule}\n" for rule in rewriting.rules),
    }
