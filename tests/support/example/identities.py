"""Trusted identities of the example's customer."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from licenses.identities.rules import GITHUB_ISSUER, IdentityKind
from licenses.models import IdentityWorkload, IssuerKeys, License
from licenses.services.identities import remove_trusted_identity, trust_identity
from teams.actors import Actor
from tests.support.issuers.token_issuer import key_set, new_key

_USES = (
    ("kestrel/server", 1, "node-eu-7"),
    ("kestrel/insights", 3, "node-eu-2"),
    ("kestrel-staging/server", 30, "node-eu-9"),
    ("kestrel-staging/insights", 31, "node-eu-9"),
)


def add_identities(actor: Actor, license: License) -> None:
    """Add a cluster that pulls, a workflow whose keys fail, and a removed cluster."""
    cluster = trust_identity(
        actor=actor,
        license=license,
        label="Cluster EU",
        kind=IdentityKind.KUBERNETES,
        issuer="https://kubernetes.default.svc.cluster.local",
        rules={"namespace": "kestrel*"},
        key_set=key_set(new_key("Qm9lcnRo")),
    )
    now = timezone.now()
    IdentityWorkload.objects.bulk_create(
        IdentityWorkload(
            team_id=license.team_id,
            identity=cluster,
            number=number,
            name=name,
            last_used_at=now - timedelta(hours=hours),
            last_used_address="203.0.113.31",
            last_used_client="containerd/2.1.4",
            last_used_node=node,
        )
        for number, (name, hours, node) in enumerate(_USES, 2)
    )
    IssuerKeys.objects.get_or_create(
        issuer=GITHUB_ISSUER,
        defaults={
            "key_set": key_set(new_key()),
            "read_at": now,
            "problem": f"{GITHUB_ISSUER} did not answer within 4 seconds.",
        },
    )
    trust_identity(
        actor=actor,
        license=license,
        label="Deployment workflow",
        kind=IdentityKind.GITHUB,
        issuer=GITHUB_ISSUER,
        rules={"repository": "halvorsen/deploy", "environment": "production"},
    )
    old = trust_identity(
        actor=actor,
        license=license,
        label="Old cluster",
        kind=IdentityKind.KUBERNETES,
        issuer="https://oidc.old-cluster.example/id/4711",
        rules={"namespace": "kestrel", "service_account": "server"},
        key_set=key_set(new_key()),
    )
    remove_trusted_identity(actor=actor, identity=old)
