"""The policy of Kubernetes itself: ``MutatingAdmissionPolicy``, since version 1.36.

Its rules are in the policy, and not in a ConfigMap as its parameters: docs/adr/0072.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from installer.cluster.expressions import PATCH, VARIABLES, lines_of, list_of, literal
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
    """Return the policy, and its binding to the namespaces with the label."""
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": rewriting.name},
            "spec": {
                # A Pod that keeps the names could not pull, and would not say why.
                "failurePolicy": "Fail",
                "reinvocationPolicy": "IfNeeded",
                "matchConstraints": {"resourceRules": RESOURCE_RULES},
                "variables": variables(rewriting),
                "mutations": MUTATIONS,
            },
        },
        {
            "apiVersion": API_VERSION,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": rewriting.name},
            "spec": {
                "policyName": rewriting.name,
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


def variables(rewriting: Rewriting) -> list[dict[str, str]]:
    """Return the variables of a policy: what it is told, and what it computes."""
    told = {
        "proxy": literal(rewriting.target),
        "secret": literal(rewriting.secret),
        "served": list_of(rewriting.served),
        "rules": lines_of(list_of(rule.words) for rule in rewriting.rules),
    }
    return [
        {"name": name, "expression": expression}
        for name, expression in {**told, **VARIABLES}.items()
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
