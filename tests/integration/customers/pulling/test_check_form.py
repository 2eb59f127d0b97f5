"""The form of *Check*: what may fill it in, and secrets that are pasted into it."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.utils import timezone

from customers.models import Contact
from licenses.models import License
from registries.models import PullEvent
from tests.integration.customers.conftest import signed_in
from tests.integration.customers.test_customer_pages import own
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import message_of
from tests.support.rows.factories import (
    LicenseFactory,
    PullEventFactory,
    pull_credential,
)
from tests.support.rows.world import rows_of

IMAGE = "quay.io/my-org/api:v1"


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


def secrets_of(license: License) -> dict[str, tuple[str, str]]:
    """Return what is pasted, by kind, and which part of it must appear nowhere."""
    _, credential = pull_credential(license)
    license_id = license.license_id.reveal()
    return {
        "a pull credential": (credential, credential),
        "a license ID": (license_id, license_id),
        "a command with a password": (
            "docker login -u me -p hunter2 proxy.example.com",
            "hunter2",
        ),
    }


@pytest.mark.parametrize(
    "kind", ["a pull credential", "a license ID", "a command with a password"]
)
def test_a_pasted_secret_is_named_and_appears_nowhere(
    kind: str, reader: Contact, license: License, caplog: pytest.LogCaptureFixture
) -> None:
    text, secret = secrets_of(license)[kind]
    browser = signed_in(reader)
    browser.get(own(reader))  # notes that they were here
    before = rows_of(reader.team)
    caplog.set_level(logging.DEBUG)

    answer = browser.post(own(reader, "check"), {"image": text})

    assert message_of(answer, "image").startswith(f"This contains {kind}")
    assert secret not in answer.content.decode()
    assert secret not in str(answer.headers)
    assert secret not in answer.request["QUERY_STRING"]
    assert secret not in caplog.text
    assert "answer" not in answer.context
    assert rows_of(reader.team) == before


def test_browsers_send_the_form_in_no_address(
    reader: Contact, license: License
) -> None:
    page = signed_in(reader).get(own(reader, "check")).content.decode()

    (form,) = re.findall(r"<form [^>]*novalidate[^>]*>", page)
    assert 'method="post"' in form
    assert f'action="{own(reader, "check")}"' in form


def test_a_link_fills_in_a_name_and_asks_nothing(
    reader: Contact, license: License
) -> None:
    page = signed_in(reader).get(own(reader, "check"), {"image": IMAGE})

    assert page.context["form"].initial["image"] == IMAGE
    assert f'value="{IMAGE}"' in page.content.decode()
    assert "answer" not in page.context


@pytest.mark.parametrize("text", ["UPPER/case", "docker pull redis", "a" * 27, ""])
def test_a_link_fills_in_nothing_else(
    text: str, reader: Contact, license: License
) -> None:
    page = signed_in(reader).get(own(reader, "check"), {"image": text})

    assert page.status_code == 200
    assert page.context["form"].initial["image"] == ""
    assert not re.search(r'name="image"[^>]*value=', page.content.decode())


def test_a_refused_pull_leads_to_its_check(reader: Contact, license: License) -> None:
    LicenseFactory(
        team=reader.team, customer=reader.customer, application=license.application
    )

    def refuse(repository: str) -> PullEvent:
        refused: PullEvent = PullEventFactory(
            team=license.team,
            license=license,
            application_slug="kestrel",
            repository=repository,
            reference="v1",
            outcome="repository_not_allowed",
        )
        return refused

    refuse("quay.io/other/api")
    browser = signed_in(reader)
    pulls = browser.get(own(reader, "pulls"))

    (link,) = re.findall(r'href="([^"]*/check\?[^"]*)"', pulls.content.decode())
    page = browser.get(link.replace("&amp;", "&"))
    form = page.context["form"]
    assert form["image"].value() == (
        "proxy.example.com/proxy/kestrel/quay.io/other/api:v1"
    )
    assert form["holder"].value() == f"license:{license.pk}"

    # Names too many to list, and a secret that was pulled as a name, have no link.
    PullEvent.objects.all().delete()
    refuse("*")
    refuse(f"quay.io/{'a' * 26}A")
    assert "/check?" not in browser.get(own(reader, "pulls")).content.decode()


def test_licenses_that_look_alike_are_told_apart(
    anna: Contact, license: License
) -> None:
    at = timezone.now().replace(second=0, microsecond=0)
    values = {
        "team": anna.team,
        "customer": anna.customer,
        "application": license.application,
        "channel": license.channel,
        "expires_at": None,
    }
    License.objects.filter(pk=license.pk).update(expires_at=None)
    same = [LicenseFactory(**values) for _ in range(2)]
    License.objects.filter(pk__in=[row.pk for row in same]).update(created_at=at)
    browser = signed_in(anna)

    page = browser.get(own(anna, "check"))
    groups = dict(page.context["form"].fields["holder"].choices)
    name = "Kestrel (Stable, does not end)"
    issued = f"issued {at:%Y-%m-%d %H:%M}"
    first, *others = sorted(groups, key=lambda group: "no." in group)
    assert first.startswith(f"{name[:-1]}), issued ")
    assert sorted(others) == [f"{name}, {issued}, no. {n}" for n in (1, 2)]
    assert [len(choices) for choices in groups.values()] == [1, 1, 1]
    form = browser.get(own(anna, "credentials/new")).context["form"]
    assert {label for _, label in form.fields["license"].choices} == set(groups)
    titles = text_of(browser.get(own(anna, "credentials")))
    assert all(group in titles for group in groups)
