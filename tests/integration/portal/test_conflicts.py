"""A value that another object has is a conflict that names the object."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from licenses import services
from licenses.models import Customer
from portal.errors import Taken
from teams.models import Team
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    ChannelFactory,
    CustomerFactory,
    LicenseFieldFactory,
    PullCredentialFactory,
    ServiceAccountFactory,
    WebhookFactory,
)
from tests.support.rows.vendor import create_vendor
from tests.support.rows.world import rows_of

ACCOUNT = {"name": "ci", "role": "developer"}
ANNA = {"email": "anna@initech.example"}
CHANNEL = {"name": "Beta", "slug": "beta"}
FIELD = {"name": "seats", "title": "Seats", "type": "Integer"}
WEBHOOK = {
    "name": "ops",
    "url": "https://hooks.example/x",
    "events": ["license.expired"],
}


def test_every_conflict_names_what_is_in_the_way(
    owner_api: ApiClient, team: Team
) -> None:
    application = ApplicationFactory(team=team, slug="my-app")
    credential = PullCredentialFactory(license__team=team, name="cluster")
    contact_of = CustomerFactory(team=team)
    webhook_of = WebhookFactory(team=team, name="ops")
    field = LicenseFieldFactory(application=application, name="seats")
    channel = ChannelFactory(application=application, slug="beta")
    account = ServiceAccountFactory(team=team, name="ci")
    contacts = f"/customers/{contact_of.pk}/contacts"
    contact = owner_api.post(contacts, ANNA).json()
    credentials = f"/licenses/{credential.license_id}/pull-credentials"
    before, events = rows_of(team), audited(team)

    for path, body, code, name, existing in [
        ("/applications", {"name": "A", "slug": "my-app"}, "slug_taken", "slug", None),
        ("/applications/my-app/channels", CHANNEL, "slug_taken", "slug", channel.pk),
        ("/applications/my-app/license-fields", FIELD, "name_taken", "name", field.pk),
        (credentials, {"name": "cluster"}, "name_taken", "name", credential.pk),
        ("/service-accounts", ACCOUNT, "name_taken", "name", account.pk),
        ("/webhooks", WEBHOOK, "name_taken", "name", webhook_of.pk),
        (contacts, ANNA, "already_contact", "email", contact["id"]),
    ]:
        response = owner_api.post(path, body)

        assert response.status_code == 409, path
        assert code_of(response) == code
        problem = response.json()
        assert problem["existing"] == str(existing or application.pk)
        assert list(problem["errors"]) == [name]
        assert problem["detail"] == problem["errors"][name][0]
    assert rows_of(team) == before
    assert audited(team) == events


def test_of_two_at_once_the_slower_is_told_of_the_faster(
    transactional_db: None,
) -> None:
    """The validation of each runs before the other's row can be seen."""
    vendor = create_vendor()
    refused: list[Taken] = []
    for number in range(10):
        start = threading.Barrier(2, timeout=20)

        def create(custom_id: str, start: threading.Barrier) -> None:
            try:
                connection.ensure_connection()
                start.wait()
                services.create_customer(
                    actor=vendor.actor, team=vendor.team, name="A", custom_id=custom_id
                )
            except Taken as error:
                refused.append(error)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as threads:
            both = [threads.submit(create, f"c-{number}", start) for _ in range(2)]
            for one in both:
                one.result()
        customer = Customer.objects.get(custom_id=f"c-{number}")
        assert refused[-1].existing == customer.pk

    assert [error.code for error in refused] == ["custom_id_taken"] * 10
