"""Many licenses in one request: results by item, once, and in turn."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.models import Alert
from licenses.models import (
    Application,
    Customer,
    License,
    LicenseField,
    Notice,
    PullCredential,
)
from licenses.selectors import licenses_with_id, pull_credential_by_secret
from licenses.services.licenses import draft_license
from licenses.services.many import issue_licenses
from portal.crypto.secrets import Secret
from portal.errors import Conflict
from teams.actors import Actor
from teams.permissions import Role
from tests.support.clients.api import ApiClient, code_of, member_client
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    ChannelFactory,
    CustomerFactory,
    LicenseFactory,
    LicenseFieldFactory,
    MembershipFactory,
    WebhookFactory,
)

BULK = "/licenses/bulk"


def new_license(customer: Customer, **values: Any) -> dict[str, Any]:
    return {
        "customer": str(customer.pk),
        "application": "my-app",
        "type": "paid",
        **values,
    }


def outcomes(response: Any) -> list[tuple[int, str]]:
    """Return status and code of each result, "" for those that succeeded."""
    body = response.json()
    results = body["results"]
    assert [result["index"] for result in results] == list(range(len(results)))
    failed = [result for result in results if result["error"]]
    assert (body["succeeded"], body["failed"]) == (
        len(results) - len(failed),
        len(failed),
    )
    for result in results:
        assert result.keys() == {"index", "status", "etag", "license", "error"}
        assert (result["license"] is None) is not (result["error"] is None)
        assert (result["error"] or result)["status"] == (result["status"])
    return [(row["status"], (row["error"] or {}).get("code", "")) for row in results]


def test_each_item_is_issued_or_refused_by_itself(owner_api: ApiClient) -> None:
    application = ApplicationFactory(team=owner_api.team, slug="my-app")
    LicenseFieldFactory(application=application, name="seats", type="Integer")
    first = CustomerFactory(team=owner_api.team, custom_id="crm-1")
    archived = CustomerFactory(team=owner_api.team)
    owner_api.post(f"/customers/{archived.pk}/archive")
    before = audited(owner_api.team)
    items: list[Any] = [
        {**new_license(first, field_values={"seats": 5}), "customer": "crm-1"},
        new_license(first, type="gold"),
        {**new_license(first), "customer": "crm-2"},
        new_license(archived),
        new_license(first, field_values={"seats": "five"}),
        new_license(first, surprise=1),
        "what?",
        new_license(first, pull_credential={"name": "cluster"}),
        new_license(first, pull_credential={"name": "cluster", "networks": ["x"]}),
    ]

    response = owner_api.post(f"{BULK}/issue", {"items": items})

    assert response.status_code == 200
    assert outcomes(response) == [
        (201, ""),
        (400, "invalid"),
        (400, "invalid"),
        (409, "customer_archived"),
        (400, "invalid"),
        (400, "invalid"),
        (400, "invalid"),
        (201, ""),
        (400, "invalid"),
    ]
    results = response.json()["results"]
    assert results[1]["error"]["errors"] == {"type": ['"gold" is not a valid choice.']}
    assert results[2]["error"]["errors"] == {
        "customer": ["Choose a customer of your team."]
    }
    assert results[4]["error"]["errors"] == {
        "field_values": ["seats must be of type Integer."]
    }
    assert results[5]["error"]["errors"] == {"surprise": ["Unknown field."]}
    shown = [results[0]["license"], results[7]["license"]]
    assert {row["id"] for row in shown} == {
        str(pk) for pk in License.objects.values_list("pk", flat=True)
    }
    for row in shown:
        [found] = licenses_with_id(owner_api.team.pk, Secret(row["license_id"]))
        assert str(found.pk) == row["id"]
    assert shown[0]["field_values"] == {"seats": 5}
    made = shown[1]["pull_credential"]
    assert shown[0]["pull_credential"] is None
    credential = pull_credential_by_secret(Secret(made["credential"]))
    assert credential == PullCredential.objects.get()
    new = audited(owner_api.team)[len(before) :]
    assert sorted(tag for tag, _ in new) == [
        *["license:id-revealed"] * 2,
        *["license:issued"] * 2,
        "pull-credential:created",
    ]
    read = owner_api.get(f"/licenses/{shown[0]['id']}")
    assert read.headers["ETag"] == results[0]["etag"]
    assert read.json().keys() == shown[0].keys() - {"license_id", "pull_credential"}


def test_a_key_repeats_the_whole_answer_once(owner_api: ApiClient) -> None:
    ApplicationFactory(team=owner_api.team, slug="my-app")
    customer = CustomerFactory(team=owner_api.team)
    body = {"items": [new_license(customer), new_license(customer, type="gold")]}
    headers = {"Idempotency-Key": "order-1"}

    first = owner_api.post(f"{BULK}/issue", body, headers=headers)
    again = owner_api.post(f"{BULK}/issue", body, headers=headers)

    assert outcomes(first) == [(201, ""), (400, "invalid")]
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert License.objects.count() == 1
    other = owner_api.post(
        f"{BULK}/issue", {"items": [new_license(customer)]}, headers=headers
    )
    assert other.status_code == 422
    assert License.objects.count() == 1


def test_changes_are_merged_and_compared_item_by_item(owner_api: ApiClient) -> None:
    first, second, third, fourth, fifth = [
        LicenseFactory(team=owner_api.team, field_values={"plan": "gold"})
        for _ in range(5)
    ]
    for license in (first, second, third):
        LicenseFieldFactory(
            application=license.application, name="plan", type=LicenseField.Type.STRING
        )
    beta = ChannelFactory(application=first.application, slug="beta")
    seen = {
        license.pk: owner_api.get(f"/licenses/{license.pk}").headers["ETag"]
        for license in (first, second, third)
    }
    owner_api.patch(f"/licenses/{second.pk}", {"type": "trial"})
    items = [
        {"id": str(third.pk), "field_values": {"plan": None}, "if_match": "*"},
        {"id": str(first.pk), "channel": "beta", "if_match": seen[first.pk]},
        {"id": str(second.pk), "type": "dev", "if_match": seen[second.pk]},
        {"id": str(uuid.uuid4()), "type": "dev"},
        {"id": str(fourth.pk), "channel": "beta"},
        {"id": str(fifth.pk), "if_match": "not a tag", "type": "dev"},
        {"id": str(third.pk), "type": "dev"},
        {"type": "dev"},
    ]

    response = owner_api.post(f"{BULK}/change", {"items": items})

    assert outcomes(response) == [
        (200, ""),
        (200, ""),
        (412, "precondition_failed"),
        (404, "not_found"),
        (400, "invalid"),
        (400, "invalid"),
        (400, "invalid"),
        (400, "invalid"),
    ]
    results = response.json()["results"]
    assert results[4]["error"]["errors"].keys() == {"channel"}
    assert results[5]["error"]["errors"].keys() == {"if_match"}
    assert results[6]["error"]["errors"] == {
        "id": ["Another item is about the same license."]
    }
    assert results[7]["error"]["errors"] == {"id": ["This field is required."]}
    for license in (first, second, third):
        license.refresh_from_db()
    assert (third.field_values, third.type) == ({}, "paid")
    assert (first.channel_id, first.field_values) == (beta.pk, {"plan": "gold"})
    assert (second.type, second.sequence) == ("trial", 2)
    current = owner_api.get(f"/licenses/{second.pk}").headers["ETag"]
    assert results[2]["etag"] == current
    changed = owner_api.get(f"/licenses/{first.pk}")
    assert results[1]["etag"] == changed.headers["ETag"]
    assert results[1]["license"] == changed.json()
    tags = [tag for tag, _ in audited(owner_api.team)]
    assert tags.count("license:changed") == 3
    assert [row.sequence for row in License.objects.filter(pk=first.pk)] == [2]
    for license in (fourth, fifth):
        assert License.objects.get(pk=license.pk).sequence == 1


def test_licenses_are_revoked_with_a_reason_each(owner_api: ApiClient) -> None:
    first, second = LicenseFactory.create_batch(2, team=owner_api.team)
    third = LicenseFactory(team=owner_api.team)
    gone = LicenseFactory(team=owner_api.team, revoked=True)
    items = [
        {"id": str(first.pk), "reason": "unpaid"},
        {"id": str(second.pk), "reason": "ended"},
        {"id": str(gone.pk), "reason": "again"},
        {"id": str(third.pk)},
        {"id": str(third.pk), "reason": "  "},
        {"id": str(first.pk), "reason": "once more"},
    ]

    response = owner_api.post(f"{BULK}/revoke", {"items": items})

    assert outcomes(response) == [
        (200, ""),
        (200, ""),
        (200, ""),
        (400, "invalid"),
        (400, "invalid"),
        (400, "invalid"),
    ]
    rows = {row.pk: row.revoke_reason for row in License.objects.all()}
    assert rows == {
        first.pk: "unpaid",
        second.pk: "ended",
        third.pk: "",
        gone.pk: "unpaid",
    }
    assert Alert.objects.filter(event="license.revoked").count() == 2
    assert Notice.objects.filter(kind="license_revoked").count() == 2
    revoked = response.json()["results"][0]["license"]
    assert revoked["revoked_by"] == "owner@acme.example"
    tags = [tag for tag, _ in audited(owner_api.team)]
    assert tags.count("license:revoked") == 2


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "items"),
        ({"items": []}, "items"),
        ({"items": {}}, "items"),
        ({"items": [{}] * 501}, "items"),
        ({"items": [{}], "reason": "x"}, "reason"),
    ],
)
@pytest.mark.parametrize("action", ["issue", "change", "revoke"])
def test_what_is_no_list_of_1_to_500_items_is_refused(
    action: str, body: dict[str, Any], named: str, owner_api: ApiClient
) -> None:
    response = owner_api.post(f"{BULK}/{action}", body)

    assert response.status_code == 400
    assert code_of(response) == "invalid"
    assert response.json()["errors"].keys() == {named}


@pytest.mark.parametrize("action", ["issue", "change", "revoke"])
def test_who_may_not_do_it_is_told_before_any_item(
    action: str, viewer_api: ApiClient
) -> None:
    license = LicenseFactory(team=viewer_api.team)
    item = {"id": str(license.pk), "reason": "mine", "type": "dev"}

    response = viewer_api.post(f"{BULK}/{action}", {"items": [item]})

    assert response.status_code == 403
    license.refresh_from_db()
    assert (license.revoked_at, license.type) == (None, "paid")
    assert License.objects.count() == 1
    assert audited(viewer_api.team) == []


def test_an_item_may_need_another_permission(owner_api: ApiClient) -> None:
    """Support may change licenses and issue none; sales may issue."""
    support = MembershipFactory(team=owner_api.team, role=Role.SUPPORT.value)
    ApplicationFactory(team=owner_api.team, slug="my-app")
    customer = CustomerFactory(team=owner_api.team)
    items = [new_license(customer, pull_credential={"name": "a"})]

    refused = member_client(support).post(f"{BULK}/issue", {"items": items})
    sales = MembershipFactory(team=owner_api.team, role=Role.SALES.value)
    issued = member_client(sales).post(f"{BULK}/issue", {"items": items})

    assert refused.status_code == 403
    assert outcomes(issued) == [(201, "")]
    assert License.objects.count() == 1


def test_licenses_of_another_team_are_unknown(
    owner_api: ApiClient, outsider_api: ApiClient
) -> None:
    license = LicenseFactory(team=owner_api.team)
    item = {"id": str(license.pk)}

    changed = outsider_api.post(
        f"{BULK}/change", {"items": [{**item, "type": "dev", "if_match": "*"}]}
    )
    revoked = outsider_api.post(f"{BULK}/revoke", {"items": [{**item, "reason": "x"}]})
    issued = outsider_api.post(
        f"{BULK}/issue",
        {
            "items": [
                new_license(license.customer, application=license.application.slug)
            ]
        },
    )

    assert outcomes(changed) == [(404, "not_found")]
    assert outcomes(revoked) == [(404, "not_found")]
    assert outcomes(issued) == [(400, "invalid")]
    license.refresh_from_db()
    assert (license.revoked_at, license.type) == (None, "paid")
    assert License.objects.count() == 1


@pytest.mark.parametrize("number", [1, 20])
def test_more_items_take_few_more_statements(number: int, owner_api: ApiClient) -> None:
    """500 have to fit into the time that a request may wait for the database."""
    for event in ("license.issued", "license.changed", "pull_credential.created"):
        WebhookFactory(team=owner_api.team, events=[event])
    application = ApplicationFactory(team=owner_api.team, slug="my-app")
    LicenseFieldFactory(application=application, name="seats", type="Integer")
    customers = CustomerFactory.create_batch(number, team=owner_api.team)
    owner_api.get("/team")
    terms = {"field_values": {"seats": 5}, "pull_credential": {"name": "cluster"}}
    new = [new_license(customer, **terms) for customer in customers]

    statements, issued = counted(owner_api, "issue", new, 201)
    licenses = [{"id": result["license"]["id"]} for result in issued]
    changes = [license | {"type": "dev", "if_match": "*"} for license in licenses]
    changing, _ = counted(owner_api, "change", changes, 200)
    revocations = [license | {"reason": "unpaid"} for license in licenses]
    revoking, _ = counted(owner_api, "revoke", revocations, 200)

    assert statements == 24
    # Each row is updated separately.
    assert changing - number == 14
    assert revoking - number == 12
    tags = Counter(tag for tag, _ in audited(owner_api.team))
    assert tags == dict.fromkeys(
        (
            *("license:issued", "license:id-revealed", "pull-credential:created"),
            *("license:changed", "license:revoked"),
        ),
        number,
    )
    events = Counter(Alert.objects.values_list("event", flat=True))
    assert events == dict.fromkeys(
        (
            *("license.issued", "pull_credential.created"),
            *("license.changed", "license.revoked"),
        ),
        number,
    )
    kinds = Counter(Notice.objects.values_list("kind", flat=True))
    assert kinds == dict.fromkeys(
        ("license_issued", "license_changed", "license_revoked"), number
    )


def counted(
    api: ApiClient, action: str, items: list[dict[str, Any]], status: int
) -> tuple[int, list[dict[str, Any]]]:
    """Send items that all succeed; return the number of statements and the results."""
    with CaptureQueriesContext(connection) as statements:
        response = api.post(f"{BULK}/{action}", {"items": items})
    assert outcomes(response) == [(status, "")] * len(items)
    results: list[dict[str, Any]] = response.json()["results"]
    return len(statements), results


def test_two_requests_for_the_same_licenses_do_not_wait_for_each_other(
    transactional_db: None, owner_api: ApiClient
) -> None:
    licenses = LicenseFactory.create_batch(20, team=owner_api.team)
    items = [{"id": str(license.pk)} for license in licenses]
    start = threading.Barrier(2, timeout=20)

    def send(action: str, sent: list[dict[str, Any]], key: str) -> Any:
        try:
            start.wait()
            headers = {"Idempotency-Key": key}
            return owner_api.post(f"{BULK}/{action}", {"items": sent}, headers=headers)
        finally:
            connection.close()

    for number in range(5):
        changes = [item | {"type": "dev" if number % 2 else "trial"} for item in items]
        with ThreadPoolExecutor(2) as threads:
            sent = [
                threads.submit(send, "change", changes, f"a{number}"),
                threads.submit(send, "change", changes[::-1], f"b{number}"),
            ]
        for answer in sent:
            assert outcomes(answer.result()) == [(200, "")] * len(items)


def test_an_application_archived_meanwhile_stops_all(
    owner_api: ApiClient, actor: Actor
) -> None:
    """What cannot be told of one item is told of the request, and nothing is done."""
    application = ApplicationFactory(team=owner_api.team, slug="my-app")
    license = LicenseFactory(team=owner_api.team, application=application)
    draft = draft_license(
        actor=actor, customer=license.customer, application=application, type="paid"
    )
    Application.objects.filter(pk=application.pk).update(archived_at=timezone.now())

    with pytest.raises(Conflict) as refusal:
        issue_licenses(actor=actor, licenses=[draft])

    assert refusal.value.code == "application_archived"
    assert list(License.objects.all()) == [license]
    assert audited(owner_api.team) == []
