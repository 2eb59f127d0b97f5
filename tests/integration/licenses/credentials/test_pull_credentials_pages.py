from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from licenses.models import License, PullCredential
from licenses.selectors import license_by_secret, pull_credential_by_secret
from licenses.services import rotate_pull_credential
from portal.crypto.secrets import Secret
from portal.http.display.times import exact
from teams.actors import Actor
from teams.models import IdempotencyRecord, Membership, Team
from tests.support.pages.license_pages import LICENSES, address
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import message_of, seen, signed_in, submission
from tests.support.rows.factories import (
    LicenseFactory,
    PullCredentialFactory,
    PullEventFactory,
    pull_credential,
)
from tests.support.rows.world import rows_of

TEXT = re.compile(r"berth_pull_\w{12}_\w{49}")


@pytest.fixture
def license(team: Team) -> License:
    return LicenseFactory(team=team)


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


def path(license: License, rest: str = "new") -> str:
    return address(license, f"pull-credentials/{rest}")


def secret_on(response: Any) -> str:
    assert response.status_code == 200
    (text,) = set(TEXT.findall(response.content.decode()))
    return str(text)


def test_a_license_without_any_says_what_they_are_for(
    browser: Client, license: License
) -> None:
    text = text_of(browser.get(address(license)))

    assert "A pull credential can be rotated and revoked on its own" in text
    assert "Create pull credential" in text


def test_the_table_says_in_words_how_each_is(
    browser: Client, license: License, actor: Actor
) -> None:
    now = timezone.now()
    old = PullCredentialFactory(
        license=license, name="farm", key="abcdefghijkl", networks=["192.0.2.0/24"]
    )
    rotate_pull_credential(actor=actor, credential=old)
    PullCredential.objects.filter(pk=old.pk).update(
        last_used_at=now + timedelta(minutes=1),
        last_used_address="192.0.2.7",
        last_used_client="containerd/1.7",
    )
    PullCredentialFactory(
        license=license, name="gone", revoked_at=now, revoked_by_label="me@acme.example"
    )
    PullCredentialFactory(
        license=license, name="found", revoked_at=now - timedelta(1), was_leaked=True
    )
    PullCredentialFactory(license=license, name="past", expires_at=now)
    PullCredentialFactory(license=LicenseFactory(team=license.team), name="other")

    text = text_of(browser.get(address(license)))

    assert "abcdefgh… now by owner@acme.example" in text
    assert "replaced still in use" in text
    assert "from 192.0.2.7 by containerd/1.7" in text
    assert "192.0.2.0/24" in text
    assert "revoked by me@acme.example" in text
    assert "revoked because it was found in public, " in text
    assert "expired" in text
    assert "other" not in [row.name for row in _shown(browser, license)]
    names = [(row.name, str(row.state())) for row in _shown(browser, license)]
    assert names == [
        ("farm", "active"),
        ("farm", "replaced"),
        ("past", "expired"),
        ("found", "revoked"),
        ("gone", "revoked"),
    ]


def _shown(browser: Client, license: License) -> list[PullCredential]:
    return list(browser.get(address(license)).context["credentials"])


def test_create_shows_the_text_once_and_only_creates_once(
    browser: Client, license: License
) -> None:
    form = {
        "name": "cluster",
        "networks": "192.0.2.0/24, 2001:db8::/32\r\n10.1.2.3",
        "expires_at": "2031-01-02T03:04",
        **submission(),
    }

    created = browser.post(path(license), form)
    again = browser.post(path(license), form)

    text = secret_on(created)
    row = pull_credential_by_secret(Secret(text))
    assert row is not None
    assert (row.name, row.networks) == (
        "cluster",
        ["192.0.2.0/24", "2001:db8::/32", "10.1.2.3/32"],
    )
    assert f"{row.expires_at:%Y-%m-%d %H:%M}" == "2031-01-02 03:04"
    assert "no-store" in created.headers["Cache-Control"]
    assert (again.status_code, again.headers["Location"]) == (302, address(license))
    assert PullCredential.objects.count() == 1
    assert text not in browser.get(address(license)).content.decode()
    record = IdempotencyRecord.objects.get()
    assert text not in record.body.reveal()


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"name": ""}, "name", "required"),
        ({"networks": "10.0.0.1/8"}, "networks", "Did you mean 10.0.0.0/8?"),
        ({"networks": "the office"}, "networks", "'the' is not a network."),
        ({"expires_at": "2020-01-01T00:00"}, "expires_at", "in the future"),
    ],
)
def test_a_wrong_value_is_told_beside_its_field(
    browser: Client, license: License, values: dict[str, str], field: str, words: str
) -> None:
    response = browser.post(path(license), {"name": "x"} | values | submission())

    assert words in message_of(response, field)
    assert not PullCredential.objects.exists()


def test_rotate_shows_the_new_secret_and_keeps_the_old_one_for_as_long_as_chosen(
    browser: Client, license: License
) -> None:
    old, _ = pull_credential(license, name="cluster")
    rotate = path(license, f"{old.pk}/rotate")

    dialog = text_of(browser.get(rotate))
    response = browser.post(rotate, {"old_ends": "30"} | submission())

    assert "The old one was never used." in dialog
    new = pull_credential_by_secret(Secret(secret_on(response)))
    assert new is not None
    old.refresh_from_db()
    assert old.replaced_by == new
    assert old.expires_at is not None
    left = old.expires_at - timezone.now()
    assert timedelta(days=29) < left < timedelta(days=31)
    again = browser.post(rotate, {"old_ends": "0"} | submission())
    assert "This secret has been replaced." in text_of(again)


def test_rotating_again_says_what_to_do_first(
    browser: Client, license: License, actor: Actor
) -> None:
    old = PullCredentialFactory(license=license, name="farm")
    new, _ = rotate_pull_credential(actor=actor, credential=old)
    rotate, end = path(license, f"{new.pk}/rotate"), path(license, f"{old.pk}/revoke")
    before = rows_of(license.team)

    for response in (
        browser.get(rotate),
        browser.post(rotate, {"old_ends": "7"} | submission()),
    ):
        text = text_of(response)
        assert "farm cannot be rotated yet" in text
        assert f"works until {old_end(old)}" in text
        assert "The previous secret was not used since." in text
        assert f'href="{end}"' in response.content.decode()
        assert "Make new secret" not in text
    assert rows_of(license.team) == before

    assert "End the previous secret of farm?" in text_of(browser.get(end))
    browser.post(end)
    new.refresh_from_db()
    assert new.state() == "active"
    secret_on(browser.post(rotate, {"old_ends": "7"} | submission()))


def old_end(credential: PullCredential) -> str:
    credential.refresh_from_db()
    assert credential.expires_at is not None
    return exact(credential.expires_at)


def test_edit_keeps_an_expiry_that_was_left_alone(
    browser: Client, license: License
) -> None:
    end = timezone.now() + timedelta(days=9)
    row, _ = pull_credential(license, name="cluster", expires_at=end)
    edit = path(license, f"{row.pk}/edit")
    form = seen(browser, edit) | {
        "name": "farm",
        "networks": "10.0.0.0/8",
        "expires_at": f"{end:%Y-%m-%dT%H:%M}",
    }

    response = browser.post(edit, form)

    assert response.status_code == 302
    row.refresh_from_db()
    assert (row.name, row.networks, row.expires_at) == ("farm", ["10.0.0.0/8"], end)


def test_revoke(browser: Client, license: License, owner: Membership) -> None:
    row, _ = pull_credential(license, last_used_at=timezone.now())
    kept = PullCredentialFactory(license=license)
    revoke = path(license, f"{row.pk}/revoke")

    dialog = text_of(browser.get(revoke))
    response = browser.post(revoke)

    assert "The license's other pull credentials and its license ID keep" in dialog
    assert response.status_code == 302
    row.refresh_from_db()
    kept.refresh_from_db()
    assert (row.state(), row.revoked_by) == ("revoked", owner.user)
    assert kept.state() == "active"


def test_replace_the_license_id(browser: Client, license: License) -> None:
    old = license.license_id.reveal()
    replace = address(license, "replace-id")

    response = browser.post(replace, {"old_ends": "7"} | submission())

    license.refresh_from_db()
    new = license.license_id.reveal()
    assert new != old
    assert new in response.content.decode()
    assert license_by_secret(Secret(new)) == license
    text = text_of(browser.get(address(license)))
    assert "The ID before this one is valid until" in text
    assert new not in text


def test_without_the_right_they_are_seen_and_not_changed(
    license: License, viewer: Membership
) -> None:
    row, _ = pull_credential(license, name="cluster")
    before = rows_of(license.team)
    browser = signed_in(viewer)

    text = text_of(browser.get(address(license)))

    assert "cluster" in text
    for word in ("Create pull credential", "Rotate", "Replace license ID"):
        assert word not in text
    for rest in ("new", *(f"{row.pk}/{act}" for act in ("edit", "rotate", "revoke"))):
        assert browser.post(path(license, rest)).status_code == 403
    assert browser.post(address(license, "replace-id")).status_code == 403
    assert rows_of(license.team) == before


def test_a_search_for_a_pull_credential_never_puts_it_into_an_address(
    browser: Client, license: License
) -> None:
    _, text = pull_credential(license)

    found = browser.post(LICENSES, {"search": text})
    mistyped = browser.post(LICENSES, {"search": text[:-1]})

    assert license.customer.name in text_of(found)
    for response in (found, mistyped):
        assert response.status_code == 200
        assert text[:-1] not in response.content.decode()
    assert license.customer.name not in text_of(mistyped)


def test_pulls_show_and_are_filtered_by_the_credential(
    browser: Client, license: License
) -> None:
    row, _ = pull_credential(license, name="cluster")
    holder = f"pull-credential:{row.pk}"
    PullEventFactory(
        team=license.team,
        license=license,
        holder=holder,
        credential_id=row.pk,
        credential_name="cluster",
        repository="quay.io/by-credential",
        outcome="credential_expired",
    )
    PullEventFactory(team=license.team, license=license, repository="quay.io/by-id")

    everything = browser.get("/t/acme/pulls")
    by_it = text_of(browser.get(f"/t/acme/pulls?credential={row.pk}"))

    assert "with cluster" in text_of(everything)
    assert f"holder={holder}" in everything.content.decode()
    assert "quay.io/by-credential" in by_it
    assert "quay.io/by-id" not in by_it
    assert "Only pulls with the pull credential cluster" in by_it
    other = PullCredentialFactory()
    unknown = text_of(browser.get(f"/t/acme/pulls?credential={other.pk}"))
    assert "No pull matches" in unknown


def test_why_explains_a_credential(browser: Client, license: License) -> None:
    row, text = pull_credential(
        license, name="farm", networks=["10.0.0.0/8"], expires_at=timezone.now()
    )
    holder = f"pull-credential:{row.pk}"
    image = f"/proxy/{license.application.slug}/quay.io/a:v1"

    found = browser.post("/t/acme/why", {"who": text, "image": image})
    query = {"holder": holder, "image": f"testserver{image}"}
    expired = text_of(browser.get("/t/acme/why", query))
    PullCredential.objects.update(expires_at=None)
    allowed = text_of(browser.get("/t/acme/why", query))

    assert found.status_code == 302
    assert holder in found.headers["Location"]
    assert text not in found.headers["Location"]
    assert "by pull credential farm" in expired
    assert "farm expired at" in expired
    assert "Rotate the pull credential" in expired
    assert "farm is allowed from 10.0.0.0/8 only." in allowed
    other = PullCredentialFactory()
    query["holder"] = f"pull-credential:{other.pk}"
    assert browser.get("/t/acme/why", query).status_code == 404


def test_detail_names_the_pull_credential_of_a_pull(
    browser: Client, team: Team
) -> None:
    license = LicenseFactory(team=team, application__slug="my-app")
    farm = pull_credential(license, name="farm")[0]
    holder = f"pull-credential:{farm.pk}"
    by_farm = {"credential_id": farm.pk, "credential_name": "farm", "holder": holder}
    for hours, count in ((1, 2), (2, 3)):
        PullEventFactory(
            team=team,
            license=license,
            hour=timezone.now() - timedelta(hours=hours),
            outcome="credential_expired",
            count=count,
            **by_farm,
        )
    PullEventFactory(team=team, license=license, outcome="license_expired", count=7)

    text = browser.get(address(license)).content.decode()

    named = re.findall(r'data-label="Image">[^<]*<div[^>]*>([^<]*)<', text)
    assert named == ["with the license ID", "with farm"]
    assert re.findall(r'data-label="Pulls">(\d+)<', text) == ["7", "5"]
    image = "image=testserver%2Fproxy%2Fmy-app%2Fmy-org%2Fapi%3Av1.0.1"
    links = re.findall(r'href="(/t/acme/why\?[^"]*)"', text)
    assert links == [
        f"/t/acme/why?license={license.pk}&amp;{image}",
        f"/t/acme/why?holder=pull-credential%3A{farm.pk}&amp;{image}",
    ]
    answer = text_of(browser.get(unescape(links[1])))
    assert "farm" in answer


def test_the_history_names_the_pull_credential(
    browser: Client, license: License, actor: Actor
) -> None:
    old = PullCredentialFactory(license=license, name="farm")
    rotate_pull_credential(actor=actor, credential=old)
    browser.post(address(license, "revoke"), {"reason": "Unpaid"})

    text = text_of(browser.get(address(license)))

    assert "Pull credential rotated · farm owner@acme.example" in text
    assert "License revoked Unpaid" in text
