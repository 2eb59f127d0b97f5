"""Deleting licenses, customers and applications, or archiving them for the record."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from licenses.models import Application, Customer, License
from licenses.services import delete_application
from portal.errors import Conflict
from teams.models import Team
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ContactFactory,
    CustomerFactory,
    ExternalRegistryFactory,
    ImageTagFactory,
    LicenseFactory,
    LicenseTrafficFactory,
    PullCredentialFactory,
    PullEventFactory,
)
from tests.support.rows.vendor import create_vendor
from tests.support.rows.world import rows_of


def without_use(team: Team) -> dict[str, Any]:
    """Return all rows, but not when the tester's own token was last used."""
    rows = rows_of(team)
    for token in rows["teams.ApiToken"]:
        del token["last_used_at"]
    return rows


def authorized(api: ApiClient, license: License) -> str:
    """Return why the license may not pull, or "" if it may."""
    body = {
        "application": license.application.slug,
        "upstream": "sample",
        "repository": "my-org/api",
        "license": str(license.pk),
    }
    reason: str | None = api.post("/authorize", body).json()["reason"]
    return reason or ""


@pytest.fixture
def license(team: Team) -> License:
    ExternalRegistryFactory(team=team, slug="sample")
    made: License = LicenseFactory(team=team, application__slug="my-app")
    return made


def by_file(api: ApiClient, license: License) -> None:
    assert api.get(f"/licenses/{license.pk}/file").status_code == 200


def by_new_id(api: ApiClient, license: License) -> None:
    assert api.post(f"/licenses/{license.pk}/replace-id").status_code == 201


def by_credential(_api: ApiClient, license: License) -> None:
    PullCredentialFactory(license=license)


def by_pull(_api: ApiClient, license: License) -> None:
    PullEventFactory(team=license.team, license=license)


def by_traffic(_api: ApiClient, license: License) -> None:
    LicenseTrafficFactory(license=license)


def test_a_license_that_nobody_ever_had_is_deleted(
    owner_api: ApiClient, license: License
) -> None:
    response = owner_api.delete(f"/licenses/{license.pk}")

    assert (response.status_code, response.content) == (204, b"")
    assert not License.objects.exists()
    assert audited(owner_api.team) == [("license:deleted", str(license))]
    assert authorized(owner_api, license)
    for path in (f"/customers/{license.customer_id}", "/applications/my-app"):
        assert owner_api.delete(path).status_code == 204
    assert not Customer.objects.exists()
    assert not Application.objects.exists()


@pytest.mark.parametrize(
    "use", [by_file, by_new_id, by_credential, by_pull, by_traffic]
)
def test_a_license_that_was_handed_over_or_used_is_archived(
    use: Callable[[ApiClient, License], None], owner_api: ApiClient, license: License
) -> None:
    use(owner_api, license)
    path = f"/licenses/{license.pk}"
    assert authorized(owner_api, license) == ""

    response = owner_api.delete(path)

    assert response.status_code == 200
    shown = response.json()
    assert "kept for the record" in shown.pop("detail")
    assert shown["archived_at"] is not None
    assert (shown["state"], shown["revoke_reason"]) == (
        "revoked",
        "The license was archived.",
    )
    assert owner_api.get(path).json() == shown
    assert response.headers["ETag"] == owner_api.get(path).headers["ETag"]
    assert authorized(owner_api, license) == "license_revoked"
    tags = [tag for tag, _ in audited(owner_api.team)]
    assert tags[-2:] == ["license:revoked", "license:archived"]
    # It leaves the lists, and doing it again changes nothing.
    assert owner_api.get("/licenses").json()["results"] == []
    assert owner_api.get("/licenses?archived=false").json()["results"] == []
    assert owner_api.get("/licenses?archived=true").json()["results"] == [shown]
    again = owner_api.delete(path)
    assert again.status_code == 200
    assert again.headers["ETag"] == response.headers["ETag"]


def test_the_order_of_terraform_ends_and_is_undone(
    owner_api: ApiClient, license: License
) -> None:
    by_file(owner_api, license)
    paths = [
        f"/licenses/{license.pk}",
        f"/customers/{license.customer_id}",
        "/applications/my-app",
    ]

    for path in paths:
        deleted = owner_api.delete(path)
        assert deleted.status_code == 200
        assert deleted.json()["archived_at"]
        assert "kept for the record" in deleted.json()["detail"]

    for path in ("/licenses", "/customers", "/applications"):
        assert owner_api.get(path).json()["results"] == []
        assert len(owner_api.get(f"{path}?archived=true").json()["results"]) == 1
    assert authorized(owner_api, license)
    body = {"name": "Again", "slug": "my-app"}
    taken = owner_api.post("/applications", body)
    assert taken.status_code == 409
    assert code_of(taken) == "slug_taken"
    assert taken.json()["existing"] == str(license.application_id)
    [message] = taken.json()["errors"]["slug"]
    assert "POST /api/v1/applications/my-app/restore" in message

    # Restored in the other order.
    refused = owner_api.post(f"{paths[0]}/restore")
    assert code_of(refused) == "application_archived"
    for path in reversed(paths):
        restored = owner_api.post(f"{path}/restore")
        assert restored.status_code == 200
        assert restored.json()["archived_at"] is None
    assert authorized(owner_api, license) == "license_revoked"
    owner_api.post(f"{paths[0]}/reinstate")
    assert authorized(owner_api, license) == ""


def test_an_archived_license_is_not_reinstated(
    owner_api: ApiClient, license: License
) -> None:
    by_file(owner_api, license)
    owner_api.delete(f"/licenses/{license.pk}")
    before = without_use(owner_api.team)

    refused = owner_api.post(f"/licenses/{license.pk}/reinstate")

    assert refused.status_code == 409
    assert code_of(refused) == "license_archived"
    assert without_use(owner_api.team) == before
    # Nor does the database allow it.
    with (
        pytest.raises(IntegrityError, match="archived_is"),
        transaction.atomic(),
    ):
        License.objects.update(revoked_at=None, revoke_reason="")


def test_a_revoked_license_keeps_its_reason_when_it_is_archived(
    owner_api: ApiClient, license: License
) -> None:
    by_file(owner_api, license)
    owner_api.post(f"/licenses/{license.pk}/revoke", {"reason": "Unpaid."})

    shown = owner_api.delete(f"/licenses/{license.pk}").json()

    assert shown["revoke_reason"] == "Unpaid."


@pytest.mark.parametrize("is_revoked", [True, False])
def test_licenses_that_are_not_archived_are_in_the_way(
    is_revoked: bool, owner_api: ApiClient, license: License
) -> None:
    if is_revoked:
        owner_api.post(f"/licenses/{license.pk}/revoke", {"reason": "Unpaid."})
    before = without_use(owner_api.team)

    customer = owner_api.delete(f"/customers/{license.customer_id}")
    application = owner_api.delete("/applications/my-app")

    assert customer.status_code == application.status_code == 409
    assert code_of(customer) == "customer_in_use"
    assert code_of(application) == "application_in_use"
    assert without_use(owner_api.team) == before


def test_a_customer_without_licenses_is_deleted_with_its_contacts(
    owner_api: ApiClient,
) -> None:
    contact = ContactFactory(customer=CustomerFactory(team=owner_api.team))

    response = owner_api.delete(f"/customers/{contact.customer_id}")

    assert response.status_code == 204
    assert not Customer.objects.exists()
    assert audited(owner_api.team) == [("customer:deleted", str(contact.customer))]


def test_images_keep_an_application_from_being_archived(
    owner_api: ApiClient, license: License
) -> None:
    ImageTagFactory(manifest__repository__application=license.application)
    by_file(owner_api, license)
    owner_api.delete(f"/licenses/{license.pk}")

    response = owner_api.delete("/applications/my-app")

    assert response.status_code == 409
    assert code_of(response) == "application_has_images"
    assert Application.objects.get().archived_at is None


@pytest.mark.parametrize("image", [{"upstream": "sample"}, {"upstream": None}])
def test_a_vendor_pulls_nothing_of_an_archived_application(
    image: dict[str, Any], owner_api: ApiClient, license: License
) -> None:
    body = {
        "application": "my-app",
        "repository": "my-org/api",
        "username": "owner@acme.example",
        "password": owner_api.text,
        **image,
    }
    before = owner_api.post("/authorize", body).json()
    Application.objects.update(archived_at=timezone.now())

    after = owner_api.post("/authorize", body).json()

    assert before["allowed"] is True
    assert after["allowed"] is False


def test_no_license_is_issued_for_an_archived_application(
    owner_api: ApiClient, license: License
) -> None:
    Application.objects.update(archived_at=timezone.now())
    before = without_use(owner_api.team)
    body = {"customer": str(license.customer_id), "type": "paid"}

    for name in ("my-app", str(license.application_id)):
        refused = owner_api.post("/licenses", body | {"application": name})
        assert refused.status_code == 400
        assert list(refused.json()["errors"]) == ["application"]
    assert without_use(owner_api.team) == before


@pytest.mark.parametrize("role", ["viewer_api", "support_api"])
def test_who_may_not_delete_changes_nothing(
    role: str, request: pytest.FixtureRequest, license: License
) -> None:
    api: ApiClient = request.getfixturevalue(role)
    may_revoke = role == "support_api"
    before = without_use(api.team)

    if not may_revoke:
        assert api.delete(f"/licenses/{license.pk}").status_code == 403
        assert api.post(f"/licenses/{license.pk}/restore").status_code == 403
        assert api.delete(f"/customers/{license.customer_id}").status_code == 403
    assert api.delete("/applications/my-app").status_code == 403
    assert api.post("/applications/my-app/restore").status_code == 403
    assert without_use(api.team) == before


def test_an_application_is_not_deleted_while_a_license_is_issued(
    transactional_db: None,
) -> None:
    """Whichever is first, no license is left in an archived application."""
    refusals: set[str] = set()
    for number in range(20):
        vendor = create_vendor()
        archived = LicenseFactory(
            team=vendor.team,
            customer=vendor.customer,
            application=vendor.application,
            revoked_at=timezone.now(),
            revoke_reason="Archived.",
            archived_at=timezone.now(),
        )
        start = threading.Barrier(2, timeout=20)

        def make(act: Callable[[], object], start: threading.Barrier) -> str:
            try:
                connection.ensure_connection()
                start.wait()
                act()
            except Conflict as error:
                return error.code
            finally:
                connection.close()
            return "done"

        delete = partial(
            delete_application, actor=vendor.actor, application=vendor.application
        )
        acts: list[Callable[[], object]] = [delete, vendor.license]
        with ThreadPoolExecutor(2) as threads:
            acts = acts if number % 2 else acts[::-1]
            made = [threads.submit(make, act, start) for act in acts]
            refusals |= {one.result() for one in made}
        application = Application.objects.get(pk=vendor.application.pk)
        of_application = License.objects.filter(application=application)
        is_issued = of_application.exclude(pk=archived.pk).exists()
        assert is_issued == (application.archived_at is None)
    assert refusals <= {"done", "application_archived", "application_in_use"}
