"""The same policy for Kyverno 1.17 and later, for clusters before Kubernetes 1.36.

Kyverno's ``MutatingPolicy`` evaluates the expressions of a ``MutatingAdmissionPolicy``.
"""

from __future__ import annotations

from typing import Any, Final

from installer.cluster.admission_policy import (
    MUTATIONS,
    RESOURCE_RULES,
    Rewriting,
    selectors,
    variables,
)

API_VERSION: Final = "policies.kyverno.io/v1"


def kyverno_policy(rewriting: Rewriting) -> list[dict[str, Any]]:
    """Return the policy."""
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "MutatingPolicy",
            "metadata": {"name": rewriting.name},
            "spec": {
                "failurePolicy": "Fail",
                # Templates of workloads keep their names, as git has them.
                "autogen": {"podControllers": {"controllers": []}},
                "matchConstraints": {
                    "resourceRules": RESOURCE_RULES,
                    **selectors(rewriting),
                },
                "variables": variables(rewriting),
                "mutations": MUTATIONS,
            },
        }
    ]
