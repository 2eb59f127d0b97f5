"""*Check*: what a customer is told about a pull, and what only the vendor knows."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Contact
from customers.pulling.answers import CHECKS_PER_MINUTE
from licenses.models import License, PullCredential
from licenses.services import rotate_pull_credential
from registries.models import ExternalRegistry
from teams.actors import Actor
from teams.models import Membership, Team
from tests.integration.customers.conftest import signed_in
from tests.integration.customers.test_customer_pages import own, viewed
from tests.support.minutes import within_a_minute
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in as member_browser
from tests.support.rows.factories import (
    ApplicationFactory,
    ContactFactory,
    ExternalRegistryFactory,
    ImageRepositoryFactory,
    ImageTagFactory,
    LicenseFactory,
    PullCredentialFactory,
)
from tests.support.rows.world import rows_of

PROXIED = "proxy.example.com/proxy/kestrel/quay.io/my-org/api:v1"
ALLOWED = "This pull is allowed now"
REFUSED = "This pull is refused"
ALONE = "License or credential"


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = "proxy.example.com"
    settings.BERTH_REGISTRY_HOST = "registry.example.com"


@pytest.fixture
def license(anna: Contact) -> License:
    return LicenseFactory(
        team=anna.team,
        customer=anna.customer,
        application__name="Kestrel",
        application__slug="kestrel",
    )


@pytest.fixture
def registry(team: Team) -> ExternalRegistry:
    made: ExternalRegistry = ExternalRegistryFactory(
        team=team,
        endpoint="quay.io",
        slug="secret-slug",
        repository_patterns=["my-org/*"],
    )
    return made


@pytest.fixture
def ask(reader: Contact, license: License, registry: ExternalRegistry) -> Any:
    """Ask as a reader, checking that nothing changes."""
    browser = signed_in(reader)
    browser.get(own(reader))  # notes that they were here

    def ask(image: str = PROXIED, holder: str = "") -> str:
        before = rows_of(reader.team)
        query = {"image": image, **({"holder": holder} if holder else {})}
        response = browser.post(own(reader, "check"), query)
        assert response.status_code == 200
        assert rows_of(reader.team) == before
        # Neither the vendor's registry nor its own words.
        page = response.content.decode()
        assert "secret-slug" not in page
        assert "unpaid" not in page
        return text_of(response)

    return ask


@pytest.mark.parametrize("image", [PROXIED, f"docker pull {PROXIED}"])
def test_an_image_by_the_name_to_pull(ask: Any, image: str) -> None:
    text = ask(image)

    assert ALLOWED in text
    assert "Your license for Kestrel pulls this image." in text
    assert "log in again" in text
    assert ALONE not in text


def test_an_image_by_the_name_it_has_elsewhere(ask: Any) -> None:
    text = ask("quay.io/my-org/api:v1")

    assert ALLOWED in text
    assert f"What to do: Pull it by its new name. {PROXIED}" in text


def test_an_image_that_is_not_there(ask: Any, license: License) -> None:
    ImageTagFactory(
        name="v1",
        manifest__repository=ImageRepositoryFactory(
            application=license.application, name="api"
        ),
    )

    assert ALLOWED in ask("registry.example.com/kestrel/api:v1")
    text = ask("registry.example.com/kestrel/api:v2")
    assert "You may pull it, but it does not exist" in text
    assert "There is no v2" in text


REFUSALS: list[tuple[dict[str, Any], str, str]] = [
    ({"revoked": True}, "This license was revoked on", "Ask Acme what happened."),
    (
        {"expires_at": timezone.now() - timedelta(days=1)},
        "This license expired on",
        "Ask Acme to extend it.",
    ),
    (
        {"customer__archived_at": timezone.now()},
        "Contact your vendor.",
        "Ask Acme what happened.",
    ),
]


@pytest.mark.parametrize(("values", "sentence", "step"), REFUSALS)
def test_a_license_that_does_not_pull(
    team: Team, registry: Any, values: dict[str, Any], sentence: str, step: str
) -> None:
    license = LicenseFactory(team=team, application__slug="kestrel", **values)
    contact = ContactFactory(customer=license.customer)

    text = text_of(signed_in(contact).post(own(contact, "check"), {"image": PROXIED}))

    assert REFUSED in text
    assert sentence in text
    assert f"What to do: {step}" in text
    assert "unpaid" not in text


def test_a_registry_that_is_not_shared_looks_as_if_there_were_none(
    ask: Any, registry: ExternalRegistry
) -> None:
    ExternalRegistry.objects.filter(pk=registry.pk).update(shared_with_all=False)

    unshared = ask(PROXIED)
    unknown = ask(PROXIED.replace("quay.io", "ghcr.io"))

    assert "is not available to the application" in unshared
    assert unshared.replace("quay.io", "ghcr.io") == unknown
    assert "ask Acme to make the image available" in unshared


def test_a_repository_that_is_not_offered(ask: Any) -> None:
    text = ask("quay.io/other-org/api")

    assert "The repository 'other-org/api' is not offered to customers." in text
    assert "Compare the image name with the one that Acme gave you." in text


def test_anothers_application_looks_as_if_there_were_none(
    ask: Any, team: Team, other_team: Team
) -> None:
    ApplicationFactory(team=other_team, slug="theirs")
    ApplicationFactory(team=team, slug="unsold")

    texts = [
        ask(PROXIED.replace("kestrel", slug)).replace(slug, "kestrel")
        for slug in ("theirs", "unsold", "neverland")
    ]

    assert "Check the image name. If it is right, ask Acme for a license" in texts[0]
    assert texts[0] == texts[1] == texts[2]


def test_another_license_of_the_customer_is_pointed_at(
    ask: Any, reader: Contact, license: License
) -> None:
    second = LicenseFactory(
        team=reader.team,
        customer=reader.customer,
        application__name="Osprey",
        application__slug="osprey",
    )

    text = ask(PROXIED.replace("kestrel", "osprey"), f"license:{license.pk}")

    assert REFUSED in text
    assert "Your license for Osprey includes it." in text
    assert ALLOWED in ask(PROXIED.replace("kestrel", "osprey"), f"license:{second.pk}")


def test_a_credential_from_the_network_one_is_on(
    ask: Any, license: License, reader: Contact
) -> None:
    anywhere = PullCredentialFactory(license=license, name="anywhere")
    near = PullCredentialFactory(
        license=license, name="near", networks=["198.18.0.0/15"]
    )
    far = PullCredentialFactory(license=license, name="far", networks=["192.0.2.0/24"])

    def told(credential: PullCredential) -> str:
        return str(ask(PROXIED, f"pull-credential:{credential.pk}"))

    assert "): allowed. It may be used from everywhere." in told(anywhere)
    assert "): allowed. It may be used from 198.18.0.0/15." in told(near)
    text = told(far)
    assert "This pull is allowed, but not from here" in text
    assert re.search(r"\(198\.18\.\d+\.\d+\): not allowed.", text)
    assert "It may be used from 192.0.2.0/24 only." in text


def test_a_credential_that_has_ended(ask: Any, license: License, actor: Actor) -> None:
    now = timezone.now()
    old = PullCredentialFactory(license=license, name="farm")
    rotate_pull_credential(actor=actor, credential=old, old_ends_at=now)
    past = PullCredentialFactory(license=license, expires_at=now)
    gone = PullCredentialFactory(license=license, revoked_at=now)

    for row, sentence, step in (
        (old, "pull credential expired", "Log in with the secret that replaced it."),
        (past, "pull credential expired", "Log in with the secret that replaced it."),
        (gone, "pull credential was revoked", "Log in with another pull credential"),
    ):
        text = ask(PROXIED, f"pull-credential:{row.pk}")
        assert sentence in text
        assert f"What to do: {step}" in text
        assert "Open Credentials" in text


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("", "Enter the name of an image."),
        ("UPPER/case", "is not"),
        ("proxy.example.com/api", "Images of the proxy are named"),
    ],
)
def test_a_wrong_name_is_told_beside_it(ask: Any, image: str, words: str) -> None:
    text = ask(image)

    assert words in text
    assert ALLOWED not in text
    assert REFUSED not in text


def test_only_ones_own_can_be_checked(ask: Any, team: Team, license: License) -> None:
    PullCredentialFactory(license=license)
    foreign = PullCredentialFactory(license=LicenseFactory(team=team))

    for holder in (
        f"pull-credential:{foreign.pk}",
        f"license:{foreign.license_id}",
        "nonsense",
    ):
        text = ask(PROXIED, holder)
        assert "Choose one of yours." in text
        assert ALLOWED not in text


def test_too_many_checks_are_refused_to_one_person(
    anna: Contact, reader: Contact, license: License, registry: Any
) -> None:
    browser = signed_in(reader)
    question = {"image": "quay.io/my-org/api"}

    *_, refused = within_a_minute(
        lambda: [
            browser.post(own(reader, "check"), question)
            for _ in range(CHECKS_PER_MINUTE + 1)
        ]
    )

    assert refused.status_code == 429
    assert f"You can check {CHECKS_PER_MINUTE} images a minute." in text_of(refused)
    assert ALLOWED not in text_of(refused)
    page = signed_in(anna).post(own(anna, "check"), {"image": PROXIED})
    assert ALLOWED in text_of(page)


def test_without_a_license_there_is_nothing_to_check(anna: Contact) -> None:
    page = signed_in(anna).post(own(anna, "check"), {"image": PROXIED})

    assert "No licenses yet" in text_of(page)


def test_a_member_views_it_and_strangers_do_not(
    viewer: Membership, license: License, registry: Any, team: Team, anna: Contact
) -> None:
    address = viewed(license.customer, "check")
    page = member_browser(viewer).post(address, {"image": PROXIED})
    assert ALLOWED in text_of(page)
    assert "secret-slug" not in page.content.decode()
    stranger = ContactFactory(customer__team=team, customer__name="Globex")

    assert signed_in(stranger).get(own(anna, "check")).status_code == 404
    assert signed_in(anna).put(own(anna, "check")).status_code == 405
    answer = Client().get(own(anna, "check"))
    assert answer.headers["Location"].startswith("/accounts/login/code/?next=/c/")


def test_more_licenses_take_no_more_queries(
    anna: Contact, license: License, registry: Any
) -> None:
    browser = signed_in(anna)

    def queries() -> int:
        query = {"image": PROXIED, "holder": f"license:{license.pk}"}
        with CaptureQueriesContext(connection) as captured:
            assert ALLOWED in text_of(browser.post(own(anna, "check"), query))
        return len(captured)

    PullCredentialFactory(license=license)
    browser.get(own(anna))
    few = queries()
    for _ in range(3):
        more = LicenseFactory(team=anna.team, customer=anna.customer)
        PullCredentialFactory.create_batch(3, license=more)
        ExternalRegistryFactory(team=anna.team)

    assert queries() == few
