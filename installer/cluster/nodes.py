"""What a cluster's nodes need to pull with the identity of each Pod.

Sources: Kubernetes, "Configure a kubelet image credential provider" and
``CredentialProviderConfig`` (tokens of service accounts since 1.34); containerd,
"Registry host namespace" (``hosts.toml``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from installer.cluster.rules import Rule
from installer.plan.images import Hosts
from oci.kustomize import PROXY_PREFIX, dump_yaml

PROVIDER: Final = "berth-credential-provider"
_SCRIPT: Final = Path(__file__).parent / PROVIDER
_RBAC_GROUP: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class NodeSetup:
    """Which images get the token, for which audience, and which hosts are mirrored."""

    hosts: Hosts
    audience: str
    provider: str
    plain_http: frozenset[str] = frozenset()
    mirrored: Sequence[Rule] = ()

    @property
    def matched(self) -> list[str]:
        """Return the hosts whose images are pulled with the token."""
        mirrored = (rule.prefix.rstrip("/") for rule in self.mirrored)
        return list(dict.fromkeys([*self.hosts.all, *mirrored]))


def script() -> bytes:
    """Return the credential provider, which nodes run."""
    return _SCRIPT.read_bytes()


def provider_config(setup: NodeSetup) -> str:
    """Return the kubelet's configuration of the provider."""
    return dump_yaml(
        {
            "apiVersion": "kubelet.config.k8s.io/v1",
            "kind": "CredentialProviderConfig",
            "providers": [
                {
                    "name": setup.provider,
                    "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
                    "matchImages": setup.matched,
                    # The license is asked at each pull, whatever a node remembers.
                    "defaultCacheDuration": "0s",
                    "args": setup.matched,
                    "tokenAttributes": {
                        "serviceAccountTokenAudience": setup.audience,
                        "cacheType": "Token",
                        # Static Pods have none: they need a pull secret.
                        "requireServiceAccount": True,
                    },
                }
            ],
        }
    )


def node_rbac(setup: NodeSetup) -> str:
    """Return what lets kubelets ask for tokens of the audience: without it, none do."""
    metadata = {"name": f"{setup.provider}-audience"}
    role: dict[str, Any] = {
        "apiVersion": f"{_RBAC_GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": metadata,
        "rules": [
            {
                "apiGroups": [""],
                "resources": [setup.audience],
                "verbs": ["request-serviceaccounts-token-audience"],
            }
        ],
    }
    binding: dict[str, Any] = {
        "apiVersion": f"{_RBAC_GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC_GROUP, "kind": "ClusterRole", **metadata},
        "subjects": [
            {"apiGroup": _RBAC_GROUP, "kind": "Group", "name": "system:nodes"}
        ],
    }
    return "---\n".join(map(dump_yaml, (role, binding)))


def mirrors(setup: NodeSetup) -> dict[str, str]:
    """Return containerd's ``hosts.toml`` of each mirrored host, by the host.

    The proxy replaces the registry, which is not tried after it: the token must not
    reach anybody else.
    """
    proxy = setup.hosts.proxy
    scheme = "http" if proxy in setup.plain_http else "https"
    url = f"{scheme}://{proxy}/v2/{PROXY_PREFIX}/{setup.hosts.application}"
    return {rule.prefix.rstrip("/"): _hosts_toml(url, rule) for rule in setup.mirrored}


def _hosts_toml(url: str, rule: Rule) -> str:
    place = f"{url}/{rule.upstream}"
    return (
        f'server = "{place}"\n'
        "override_path = true\n\n"
        f'[host."{place}"]\n'
        '  capabilities = ["pull", "resolve"]\n'
        "  override_path = true\n"
    )


def whole_hosts(rules: Iterable[Rule], wanted: Sequence[str]) -> list[Rule]:
    """Return a rule for each wanted host, the first of those that it has."""
    by_host: dict[str, Rule] = {}
    for rule in rules:
        host = rule.prefix.partition("/")[0]
        by_host.setdefault(host, Rule(f"{host}/", rule.upstream))
    return [by_host[host] for host in wanted if host in by_host]
