"""The vendor's API of trusted identities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from alerts.models import Alert
from audit.models import AuditEvent
from licenses.models import IdentityWorkload, IssuerKeys, License, TrustedIdentity
from teams.models import Team
from tests.support.clients.api import ApiClient, code_of
from tests.support.issuers.token_issuer import (
    AUDIENCE,
    TokenIssuer,
    key_set,
    new_key,
    token_issuer,
)
from tests.support.rows.audit import audited
from tests.support.rows.factories import LicenseFactory, WebhookFactory
from tests.support.rows.identities import TrustedIdentityFactory, trusted

CLUSTER = {
    "label": "cluster",
    "kind": "kubernetes",
    "issuer": "https://cluster.example",
    "audience": AUDIENCE,
    "rules": {"namespace": "prod-*", "service_account": "api"},
}


@pytest.fixture
def license(team: Team) -> License:
    return LicenseFactory(team=team)


@pytest.fixture
def path(license: License) -> str:
    return f"/licenses/{license.pk}/trusted-identities"


@pytest.fixture
def issuer() -> Iterator[TokenIssuer]:
    with token_issuer() as running:
        yield running


def stored() -> list[dict[str, Any]]:
    """Return what these requests may change, to compare before and after."""
    models: Any = (TrustedIdentity, IdentityWorkload, AuditEvent, Alert)
    return [row for model in models for row in model.objects.values()]


def test_an_identity_is_added_changed_and_removed(
    owner_api: ApiClient, path: str, license: License
) -> None:
    told = ["trusted_identity.added", "trusted_identity.removed"]
    WebhookFactory(team=license.team, events=told)
    keys = key_set(new_key("a"))
    created = owner_api.post(path, {**CLUSTER, "key_set": keys})

    assert created.status_code == 201
    values = created.json()
    address = f"{path}/{values['id']}"
    assert created.headers["Location"].endswith(address)
    assert owner_api.get(address).json() == values
    assert {name: values[name] for name in CLUSTER} == CLUSTER
    assert (values["keys"], values["key_ids"]) == ("uploaded", ["a"])
    assert values["created_by"] == "owner@acme.example"
    assert values["workloads"] == []
    both = key_set(new_key("a"), new_key("b", "ES256"))
    changed = owner_api.request("patch", address, {"key_set": both, "label": "EU"})
    assert (changed.json()["key_ids"], changed.json()["label"]) == (["a", "b"], "EU")
    removed = owner_api.post(f"{address}/remove").json()
    assert removed["removed_by"] == "owner@acme.example"
    assert owner_api.post(f"{address}/remove").json() == removed
    refused = owner_api.request("patch", address, {"label": "again"})
    assert (refused.status_code, code_of(refused)) == (409, "identity_removed")
    shown = {
        state: len(owner_api.get(f"{path}?state={state}").json()["results"])
        for state in ("current", "removed")
    }
    assert shown == {"current": 0, "removed": 1}
    tags = [tag for tag, _ in audited(license.team) if tag.startswith("trusted")]
    assert sorted(tags) == [
        "trusted-identity:added",
        "trusted-identity:changed",
        "trusted-identity:removed",
    ]
    events = Alert.objects.filter(event__in=told)
    assert sorted(events.values_list("event", flat=True)) == told
    assert events[0].data["identity"]["rules"] == CLUSTER["rules"]


def test_published_keys_are_read_at_once(
    owner_api: ApiClient, path: str, issuer: TokenIssuer
) -> None:
    created = owner_api.post(path, {**CLUSTER, "issuer": issuer.issuer})

    assert created.status_code == 201
    assert (created.json()["keys"], created.json()["key_ids"]) == ("published", [])
    assert IssuerKeys.objects.get().key_set == issuer.key_set
    again = owner_api.post(
        path, {**CLUSTER, "issuer": issuer.issuer, "label": "second"}
    )
    assert again.status_code == 201
    assert issuer.asked.count("/jwks") == 1


def test_an_issuer_that_cannot_be_read_is_not_trusted(
    owner_api: ApiClient, path: str, team: Team, settings: Any
) -> None:
    settings.BERTH_ALLOWED_PRIVATE_NETWORKS = []
    before = stored()

    refused = owner_api.post(path, {**CLUSTER, "issuer": "https://127.0.0.1:1"})

    assert refused.status_code == 400
    [message] = refused.json()["errors"]["issuer"]
    assert "has an address that is not public" in message
    assert "upload its key set" in message
    assert stored() == before
    assert not IssuerKeys.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rules": {}}, "rules"),
        ({"rules": {"namespace": "*"}}, "rules"),
        ({"issuer": "cluster.example"}, "issuer"),
        ({"issuer": "https://gitlab.com"}, "issuer"),
        ({"audience": "https://cluster.example"}, "audience"),
        ({"audience": "https://cluster.example/"}, "audience"),
        ({"audience": "https://kubernetes.default.svc.cluster.local"}, "audience"),
        ({"audience": "sts.amazonaws.com"}, "audience"),
        ({"label": ""}, "label"),
        ({"label": "a\u202e"}, "label"),
        ({"key_set": "{}"}, "key_set"),
        ({"key_set": '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}'}, "key_set"),
        ({"kind": "ldap"}, "kind"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_cannot_be_trusted(
    owner_api: ApiClient, path: str, team: Team, changes: dict[str, Any], field: str
) -> None:
    before = stored()

    refused = owner_api.post(
        path, {**CLUSTER, "key_set": key_set(new_key()), **changes}
    )

    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == [field]
    assert "c2VjcmV0" not in refused.text
    assert stored() == before


def test_the_audience_and_known_issuers_have_defaults(
    owner_api: ApiClient, path: str, settings: Any
) -> None:
    settings.BERTH_PROXY_HOST = "images.example.com"
    body = {
        "label": "workflow",
        "kind": "github",
        "rules": {"repository": "acme/app"},
        "key_set": key_set(new_key()),
    }

    values = owner_api.post(path, body).json()

    assert values["issuer"] == "https://token.actions.githubusercontent.com"
    assert values["audience"] == "images.example.com"


def test_a_label_is_free_again_after_removal_and_there_are_limits(
    owner_api: ApiClient, path: str, license: License
) -> None:
    body = {**CLUSTER, "key_set": key_set(new_key())}
    first = owner_api.post(path, body).json()
    taken = owner_api.post(path, body)
    assert (taken.status_code, taken.json()["existing"]) == (409, first["id"])
    owner_api.post(f"{path}/{first['id']}/remove")
    assert owner_api.post(path, body).status_code == 201
    for _ in range(19):
        TrustedIdentityFactory(license=license)

    refused = owner_api.post(path, {**body, "label": "one more"})

    assert code_of(refused) == "too_many_trusted_identities"
    assert TrustedIdentity.objects.current().count() == 20


def test_a_token_is_tested_and_not_stored(
    owner_api: ApiClient, path: str, license: License, issuer: TokenIssuer
) -> None:
    good = trusted(license, issuer, {"namespace": "prod"})
    other = trusted(license, issuer, {"namespace": "staging"}, audience="x")
    removed = trusted(license, issuer, {"namespace": "prod"})
    TrustedIdentity.objects.filter(pk=removed.pk).update(removed_at=removed.created_at)
    before = stored()
    token = issuer.service_account()

    result = owner_api.post(f"{path}/test", {"token": f" {token}\n"}).json()

    assert (result["accepted"], result["problem"]) == (True, "")
    assert [item["identity"] for item in result["identities"]] == [
        str(good.pk),
        str(other.pk),
    ]
    missing = [
        (item["requirement"], item["found"])
        for item in result["identities"][1]["requirements"]
        if not item["met"]
    ]
    assert missing == [("audience is x", AUDIENCE), ("namespace is staging", "prod")]
    expired = owner_api.post(f"{path}/test", {"token": issuer.token(exp=1)}).json()
    assert not expired["accepted"]
    assert expired["problem"].startswith("The JWT expired on 1970-01-01")
    assert stored() == before


def test_testing_reads_a_new_key_of_the_issuer(
    owner_api: ApiClient, path: str, license: License, issuer: TokenIssuer
) -> None:
    trusted(license, issuer, uploaded=False)
    IssuerKeys.objects.update(tried_at=None)
    issuer.keys.insert(0, new_key("2", number=1))

    result = owner_api.post(f"{path}/test", {"token": issuer.service_account()})

    assert result.json()["accepted"]


def test_a_viewer_reads_and_tests_but_adds_nothing(
    viewer_api: ApiClient, path: str, license: License, issuer: TokenIssuer
) -> None:
    identity = trusted(license, issuer)
    before = stored()

    assert viewer_api.get(f"{path}/{identity.pk}").status_code == 200
    tested = viewer_api.post(f"{path}/test", {"token": issuer.service_account()})
    assert tested.json()["accepted"]
    for refused in (
        viewer_api.post(path, {**CLUSTER, "issuer": issuer.issuer, "label": "x"}),
        viewer_api.request("patch", f"{path}/{identity.pk}", {"label": "x"}),
        viewer_api.post(f"{path}/{identity.pk}/remove"),
    ):
        assert refused.status_code == 403
    assert stored() == before
    assert issuer.asked == []
