"""A vendor automates everything through a generated client (ADR 63)."""

from __future__ import annotations

import importlib
import pkgutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.stack import SAMPLE_USER, sample_password
from tests.e2e.clients.conftest import Demo
from tests.support.clients.generated import PACKAGE, make_python_client
from tests.support.clients.pulling import pull

REASON = "The contract has ended."


class Client:
    """The client that openapi-python-client makes, signed in.

    An attribute is the operation with this ID, as the function that calls it.
    """

    def __init__(self, signed_in: Any) -> None:
        self.models: Any = importlib.import_module(f"{PACKAGE}.models")
        self._signed_in = signed_in
        folders = importlib.import_module(f"{PACKAGE}.api").__path__
        self._modules = {
            found.name.rpartition(".")[2]: found.name
            for found in pkgutil.walk_packages(folders, f"{PACKAGE}.api.")
        }

    def __getattr__(self, operation_id: str) -> Any:
        module = importlib.import_module(self._modules[operation_id])
        return partial(module.sync_detailed, client=self._signed_in)


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("generated")
    make_python_client(made)
    return made


@pytest.fixture
def client(
    directory: Path, demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    monkeypatch.syspath_prepend(directory)
    package = importlib.import_module(PACKAGE)
    portal, token = demo.facts["PORTAL_URL"], demo.facts["API_TOKEN"]
    with package.AuthenticatedClient(portal, token) as signed_in:
        yield Client(signed_in)


def done(answer: Any, status: HTTPStatus = HTTPStatus.OK) -> Any:
    """Return what was parsed, after checking the status."""
    assert answer.status_code == status, answer.content
    return answer.parsed


created = partial(done, status=HTTPStatus.CREATED)


def test_from_an_application_to_a_pull_and_back_to_nothing(
    client: Client, demo: Demo
) -> None:
    models = client.models
    application = created(
        client.applications_create(
            body=models.NewApplication(name="Storm glass", slug="storm-glass")
        )
    )
    registry = created(client.registries_create(body=sample_registry(demo, models)))
    customer = created(
        client.customers_create(
            body=models.NewCustomer(name="Globex", custom_id="crm-7"),
            idempotency_key="crm-7",
        )
    )
    license = created(
        client.licenses_create(
            body=models.NewLicense(
                customer="crm-7",
                application="storm-glass",
                type_=models.LicenseType.PAID,
                expires_at=datetime(2099, 12, 31, tzinfo=UTC),
                pull_credential=models.NewPullCredential(name="cluster"),
            )
        )
    )
    secret = license.pull_credential.credential
    assert (license.customer, license.application) == (customer.id, "storm-glass")
    assert license.state is models.LicenseState.ACTIVE
    file = yaml.safe_load(done(client.licenses_file(license.id)))
    assert file["spec"]["licenseID"] == license.license_id
    image = (
        f"{demo.facts['PROXY_HOST']}/proxy/storm-glass/{registry.slug}"
        f"/{demo.facts['SAMPLE_IMAGE']}"
    )
    assert pull(image, secret) == ""
    assert pull(image, license.license_id) == ""

    revoked = done(
        client.licenses_revoke(license.id, body=models.Revocation(reason=REASON))
    )

    assert revoked.revoke_reason == REASON
    today = revoked.revoked_at.strftime("%Y-%m-%d")
    refusal = wait_for_refusal(image, secret)
    assert f"This license was revoked on {today}. Contact your vendor." in refusal
    destroy(client, application, registry, license)


def wait_for_refusal(image: str, secret: str) -> str:
    """Return what a client says once the edge has forgotten the last decision."""
    deadline = time.monotonic() + 20
    while "revoked" not in (said := pull(image, secret)):
        assert time.monotonic() < deadline, said
    return said


def sample_registry(demo: Demo, models: Any) -> Any:
    return models.NewRegistry(
        provider=models.ProviderName.OTHER,
        endpoint=demo.settings.sample_host,
        slug="glass",
        username=SAMPLE_USER,
        secret=sample_password(demo.settings),
        applications=["storm-glass"],
        test_image=demo.facts["SAMPLE_IMAGE"],
    )


def destroy(client: Client, application: Any, registry: Any, license: Any) -> None:
    """Delete all of it as Terraform would: the dependent first, each one once."""
    kept = [
        done(client.licenses_delete(license.id)),
        done(client.customers_delete("crm-7")),
        done(client.applications_delete(application.slug)),
    ]
    done(client.registries_delete(registry.slug), HTTPStatus.NO_CONTENT)

    for archived in kept:
        assert "kept for the record" in archived.detail
        assert archived.archived_at is not None
    [customers, applications, licenses] = [
        done(client.customers_list(search="crm-7", total=True)),
        done(client.applications_list(total=True)),
        done(client.licenses_list(customer="crm-7", total=True)),
    ]
    assert (customers.total, licenses.total) == (0, 0)
    slugs = [each.slug for each in applications.results]
    assert "storm-glass" not in slugs
    kept_license = done(client.licenses_read(license.id))
    assert (kept_license.state, kept_license.revoke_reason) == ("revoked", REASON)


def test_of_two_writers_one_wins_and_the_other_is_told(client: Client) -> None:
    models = client.models
    name = models.NewCustomer(name="Initech", custom_id="race")
    created(client.customers_create(body=name))
    start = threading.Barrier(2, timeout=20)

    def write(email: str, etag: str) -> Any:
        change = models.CustomerChanges(email=email)
        start.wait()
        return client.customers_change("race", body=change, if_match=etag)

    with ThreadPoolExecutor(2) as threads:
        for number in range(10):
            etag = client.customers_read("race").headers["ETag"]
            emails = [f"{number}-{writer}@initech.example" for writer in "ab"]
            answers = list(threads.map(write, emails, [etag, etag]))

            [winner] = [each for each in answers if each.status_code == HTTPStatus.OK]
            [loser] = [each for each in answers if each is not winner]
            assert loser.status_code == HTTPStatus.PRECONDITION_FAILED
            assert loser.parsed.code == "precondition_failed"
            assert loser.headers["ETag"] == winner.headers["ETag"]
            stored = client.customers_read("race")
            assert stored.parsed == winner.parsed
            assert stored.headers["ETag"] == winner.headers["ETag"]
            [lost] = {*emails} - {winner.parsed.email}
            again = client.customers_change(
                "race",
                body=models.CustomerChanges(email=lost),
                if_match=loser.headers["ETag"],
            )
            assert done(again).email == lost

    done(client.customers_delete("race"), HTTPStatus.NO_CONTENT)


def test_an_error_says_what_is_wrong(client: Client) -> None:
    refused = client.licenses_create(
        body=client.models.NewLicense(
            customer="nobody",
            application="nothing",
            type_=client.models.LicenseType.PAID,
        )
    )

    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert refused.parsed.code == "invalid"
    assert list(refused.parsed.errors.additional_properties) == ["application"]
