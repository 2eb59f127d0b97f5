"""Which workload tokens the rules of a trusted identity mean."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licenses.identities.rules import (
    GITHUB_ISSUER,
    GITLAB_ISSUER,
    GOOGLE_ISSUER,
    IdentityKind,
    anchor_of,
    anchors_of,
    check_issuer,
    check_rules,
    in_words,
    matches,
    node_of,
    texts_of,
    workload_of,
)

K8S, GITHUB = IdentityKind.KUBERNETES, IdentityKind.GITHUB
GITLAB, OTHER = IdentityKind.GITLAB, IdentityKind.OTHER
CLUSTER = "https://oidc.cluster.example/id/1"


@pytest.mark.parametrize(
    ("kind", "issuer"),
    [
        (K8S, "https://kubernetes.default.svc.cluster.local"),
        (K8S, "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC"),
        (OTHER, "https://issuer.example:8443/a/"),
        (GITHUB, f"{GITHUB_ISSUER}/my-enterprise"),
        (GITHUB, "https://github.acme.example/_services/token"),
        (GITLAB, "https://gitlab.acme.example"),
    ],
)
def test_issuers(kind: IdentityKind, issuer: str) -> None:
    check_issuer(kind, issuer)


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "issuer.example",
        "http://issuer.example",
        "https://",
        "https://user@issuer.example",
        "https://issuer.example?x=1",
        "https://issuer.example#x",
        "https://issuer.example:0",
        "https://issuer.example:99999",
        "https://issuer example",
        "https://iss\u00fcer.example",
        "https://[::1",
    ],
)
def test_what_is_no_issuer(issuer: str) -> None:
    with pytest.raises(ValueError, match="as a URL like"):
        check_issuer(K8S, issuer)


def test_shared_issuers_have_the_rules_of_their_kind() -> None:
    """Otherwise ref = main would trust everybody's main branch."""
    for kind, issuer in [(OTHER, GITHUB_ISSUER), (K8S, GITLAB_ISSUER)]:
        with pytest.raises(ValueError, match="Everybody's tokens"):
            check_issuer(kind, issuer)


@pytest.mark.parametrize(
    ("kind", "issuer", "rules"),
    [
        (K8S, CLUSTER, {"namespace": "prod"}),
        (K8S, CLUSTER, {"namespace": "prod-*", "service_account": "api"}),
        (GITHUB, GITHUB_ISSUER, {"repository": "acme/app"}),
        (GITHUB, GITHUB_ISSUER, {"repository": "acme/*"}),
        (GITHUB, GITHUB_ISSUER, {"repository_owner": "acme", "ref": "refs/heads/*"}),
        (GITHUB, GITHUB_ISSUER, {"repository_id": "1234", "environment": "prod"}),
        (GITLAB, GITLAB_ISSUER, {"project_path": "acme/infra/app"}),
        (GITLAB, GITLAB_ISSUER, {"namespace_path": "acme/infra"}),
        (OTHER, "https://ci.example", {"sub": "job:1"}),
        (OTHER, GOOGLE_ISSUER, {"sub": "1234"}),
    ],
)
def test_rules_that_say_whose(
    kind: IdentityKind, issuer: str, rules: dict[str, str]
) -> None:
    check_rules(kind, issuer, rules)


@pytest.mark.parametrize(
    ("kind", "issuer", "rules"),
    [
        (K8S, CLUSTER, {}),
        (K8S, CLUSTER, {"service_account": "default"}),
        (K8S, CLUSTER, {"namespace": "*"}),
        (K8S, CLUSTER, {"namespace": "Prod"}),
        (K8S, CLUSTER, {"namespace": "prod", "sub": "x"}),
        (GITHUB, GITHUB_ISSUER, {}),
        (GITHUB, GITHUB_ISSUER, {"ref": "refs/heads/main"}),
        (GITHUB, GITHUB_ISSUER, {"repository": "acme*"}),
        (GITHUB, GITHUB_ISSUER, {"repository": "/*"}),
        (GITHUB, GITHUB_ISSUER, {"repository_owner": "acme*"}),
        (GITHUB, GITHUB_ISSUER, {"repository_id": "12/*"}),
        (GITLAB, GITLAB_ISSUER, {"namespace_path": "acme/*"}),
        (GITLAB, GITLAB_ISSUER, {"project_path": "acme*"}),
        (OTHER, "https://ci.example", {"sub": "job*"}),
        (OTHER, "https://ci.example", {"iss": "https://ci.example"}),
        (OTHER, GOOGLE_ISSUER, {"hd": "acme.example"}),
        (OTHER, "https://ci.example", {"sub": ""}),
        (OTHER, "https://ci.example", {"sub": "a*b"}),
        (OTHER, "https://ci.example", {"sub": "a\nb"}),
        (OTHER, "https://ci.example", {"sub": "x" * 301}),
        (OTHER, "https://ci.example", {"a b": "x"}),
        (OTHER, "https://ci.example", {f"claim{n}": "x" for n in range(11)}),
    ],
)
def test_rules_that_would_trust_too_many(
    kind: IdentityKind, issuer: str, rules: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"[.]$"):
        check_rules(kind, issuer, rules)


def test_exact_and_prefix() -> None:
    assert matches("prod", "prod")
    assert matches("prod-*", "prod-eu")
    for pattern, value in [
        ("prod", "prod-eu"),
        ("prod-*", "prod"),
        ("acme/*", "acme-evil/app"),
        ("prod", "PROD"),
        ("prod", None),
    ]:
        assert not matches(pattern, value)
    assert in_words("service_account", "api*") == "service account begins with api"
    assert in_words("repository", "acme/app") == "repository is acme/app"


def test_claims_of_kubernetes_are_the_parts_of_its_subject() -> None:
    """Not claims with the same names, nor those in kubernetes.io."""
    claims = {
        "sub": "system:serviceaccount:prod:api",
        "namespace": "root",
        "kubernetes.io": {"namespace": "root", "node": {"name": "node-1"}},
    }

    assert texts_of(K8S, claims) == {"namespace": "prod", "service_account": "api"}
    assert texts_of(OTHER, claims) == {"sub": claims["sub"], "namespace": "root"}
    assert workload_of(K8S, claims) == "prod/api"
    assert node_of(claims) == "node-1"
    for subject in ("system:node:a", "system:serviceaccount:a:b:c", "", None, 7):
        assert texts_of(K8S, {"sub": subject}) == {}
    inside: Any
    for inside in ({}, {"node": "a"}, {"node": {"name": 1}}, "x", None):
        assert node_of({"kubernetes.io": inside}) == ""


def test_workloads_of_other_kinds() -> None:
    claims = {"sub": "s", "repository": "acme/app", "project_path": "acme/infra/app"}

    assert workload_of(GITHUB, claims) == "acme/app"
    assert workload_of(GITLAB, claims) == "acme/infra/app"
    assert workload_of(OTHER, claims) == "s"
    assert workload_of(OTHER, {}) == ""


words = st.text("ab/-", min_size=1, max_size=4)
claims_of_tokens = st.dictionaries(st.sampled_from(["sub", "repository", "ref"]), words)


@given(claims=claims_of_tokens, rules=claims_of_tokens, data=st.data())
def test_an_identity_is_found_by_every_token_that_meets_its_rules(
    claims: dict[str, str], rules: dict[str, str], data: st.DataObject
) -> None:
    patterns = {
        claim: data.draw(st.sampled_from([value, f"{value}*"]))
        for claim, value in rules.items()
    }
    meets = all(matches(patterns[name], claims.get(name)) for name in patterns)
    anchor = anchor_of(GITHUB, GITHUB_ISSUER, patterns)

    if meets and any(not p.endswith("*") or "/" in p for p in patterns.values()):
        assert anchor in anchors_of(GITHUB_ISSUER, claims)
    assert anchor not in anchors_of(f"{GITHUB_ISSUER}/x", claims)


@given(namespace=st.text("ab-", min_size=1), prefix=st.integers(0, 3))
def test_so_is_one_of_a_cluster(namespace: str, prefix: int) -> None:
    claims = {"sub": f"system:serviceaccount:{namespace}:api"}
    pattern = f"{namespace[: prefix + 1]}*" if prefix else namespace

    anchor = anchor_of(K8S, CLUSTER, {"namespace": pattern})

    assert anchor in anchors_of(CLUSTER, claims)
    assert anchor not in anchors_of(f"{CLUSTER}0", claims)
    if not prefix:
        assert anchor not in anchors_of(CLUSTER, {"namespace": namespace})
