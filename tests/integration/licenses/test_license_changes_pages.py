from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.test import Client

from licenses.models import License
from portal.crypto.secrets import Secret
from teams.models import Membership, Team
from teams.permissions import Role
from tests.support.pages.license_pages import (
    HTMX,
    address,
    error_beside,
    hidden,
    page,
    signed_in,
)
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ChannelFactory,
    LicenseFactory,
    LicenseFieldFactory,
    MembershipFactory,
    PullEventFactory,
)
from tests.support.rows.world import rows_of


@pytest.fixture
def sales(team: Team) -> Membership:
    return MembershipFactory(
        team=team, user__email="sales@acme.example", role=Role.SALES.value
    )


def edit_form(client: Client, license: License) -> dict[str, str]:
    text = page(client, address(license, "edit"))
    return {
        "seen": hidden(text, "seen"),
        "channel": str(license.channel_id),
        "type": license.type,
        "expiry": "never",
    }


def test_edit(client: Client, sales: Membership) -> None:
    license = LicenseFactory(
        team=sales.team,
        field_values={"seats": 12},
        secret_field_values=Secret('{"key": "hunter2", "old": "x"}'),
    )
    beta = ChannelFactory(application=license.application, name="Beta")
    for name, kind in (("seats", "Integer"), ("key", "Password"), ("old", "Password")):
        LicenseFieldFactory(application=license.application, name=name, type=kind)
    form = edit_form(signed_in(client, sales), license) | {
        "channel": str(beta.pk),
        "expiry": "at",
        "expires_at": "2031-07-01T18:30",
        "value_seats": "",
        "value_key": "",
        "value_old": "",
        "clear_old": "on",
    }

    response = client.post(address(license, "edit"), form)

    assert response.headers["Location"] == address(license)
    license.refresh_from_db()
    assert license.channel == beta
    assert license.expires_at == datetime(2031, 7, 1, 18, 30, tzinfo=UTC)
    assert license.field_values == {}
    assert license.secret_field_values.reveal() == '{"key": "hunter2"}'
    assert [tag for tag, _ in audited(sales.team)] == ["license:changed"]


def test_edit_that_changes_nothing_changes_nothing(
    client: Client, owner: Membership
) -> None:
    expires_at = datetime(2031, 7, 1, 18, 30, 12, 345, tzinfo=UTC)
    license = LicenseFactory(
        team=owner.team,
        expires_at=expires_at,
        secret_field_values=Secret('{"key": "hunter2"}'),
    )
    LicenseFieldFactory(application=license.application, name="seats", default="5")
    LicenseFieldFactory(application=license.application, name="key", type="Password")
    form = edit_form(signed_in(client, owner), license) | {
        "expiry": "at",
        "expires_at": "2031-07-01T18:30",
        "value_seats": "5",
        "value_key": "",
    }
    before = rows_of(owner.team)

    response = client.post(address(license, "edit"), form)

    assert response.status_code == 302
    assert rows_of(owner.team) == before


def test_edit_shows_no_password(client: Client, owner: Membership) -> None:
    license = LicenseFactory(
        team=owner.team, secret_field_values=Secret('{"key": "hunter2"}')
    )
    LicenseFieldFactory(application=license.application, name="key", type="Password")

    assert "hunter2" not in page(signed_in(client, owner), address(license, "edit"))


def test_edit_reports_a_concurrent_change(client: Client, owner: Membership) -> None:
    license = LicenseFactory(team=owner.team)
    form = edit_form(signed_in(client, owner), license)
    client.post(address(license, "edit"), form | {"type": "trial"})

    response = client.post(address(license, "edit"), form | {"type": "dev"})

    text = response.content.decode()
    assert "Somebody else has changed this. Your entries are kept" in text
    assert "Now: Trial: the customer tries it out" in text
    assert re.search(r'value="dev"[^>]* selected', text)
    license.refresh_from_db()
    assert license.type == "trial"


@pytest.mark.parametrize(
    "changes",
    [
        {"expiry": "30"},
        {"expiry": "at", "expires_at": "2031-07-01T18:30"},
        {"expiry": "never", "expires_at": "2031-07-01T18:30"},
        {"value_seats": "", "value_notes": "one\r\ntwo"},
    ],
)
def test_edit_sent_twice_is_saved_once(
    changes: dict[str, str], client: Client, owner: Membership
) -> None:
    license = LicenseFactory(team=owner.team)
    for name, kind, default in (("seats", "Integer", 5), ("notes", "Text", None)):
        LicenseFieldFactory(
            application=license.application, name=name, type=kind, default=default
        )
    form = edit_form(signed_in(client, owner), license) | {"type": "dev", **changes}

    responses = [client.post(address(license, "edit"), form) for _ in range(2)]

    assert [response.status_code for response in responses] == [302, 302]
    assert len(audited(owner.team)) == 1


def test_edit_never_shows_a_password_set_by_another_user(
    client: Client, owner: Membership
) -> None:
    license = LicenseFactory(team=owner.team)
    LicenseFieldFactory(application=license.application, name="key", type="Password")
    form = edit_form(signed_in(client, owner), license)
    client.post(address(license, "edit"), form | {"value_key": "hunter2"})

    response = client.post(address(license, "edit"), form | {"value_key": "mine"})

    text = response.content.decode()
    assert "Somebody else has changed this." in text
    assert "hunter2" not in text
    assert "Now:" not in text


def test_edit_reports_what_is_wrong_beside_the_control(
    client: Client, owner: Membership
) -> None:
    license = LicenseFactory(team=owner.team)
    form = edit_form(signed_in(client, owner), license)
    before = rows_of(owner.team)

    response = client.post(
        address(license, "edit"), form | {"type": "community", "expiry": "30"}
    )

    assert error_beside(response.content.decode(), "id_expiry").startswith(
        "A community license does not expire."
    )
    assert rows_of(owner.team) == before


def test_revoke_says_what_stops_and_asks_why(
    client: Client, support: Membership
) -> None:
    license = LicenseFactory(team=support.team, application__name="My app")
    PullEventFactory(team=support.team, license=license, repository="sample/api")
    signed_in(client, support)

    text = page(client, address(license, "revoke"))
    assert "My app" in text
    assert "Last pull: sample/api:v1.0.1" in text
    assert "stop within one second" in text

    response = client.post(address(license, "revoke"), {"reason": " "})
    assert error_beside(response.content.decode(), "id_reason") == ("Enter a reason.")
    response = client.post(address(license, "revoke"), {"reason": "a\x07b"})
    assert error_beside(response.content.decode(), "id_reason") == (
        "Control characters are not allowed."
    )
    assert audited(support.team) == []


def test_revoke_and_reinstate(client: Client, support: Membership) -> None:
    license = LicenseFactory(team=support.team)
    signed_in(client, support)

    response = client.post(
        address(license, "revoke"), {"reason": "Unpaid"}, headers=HTMX
    )

    assert response.headers["HX-Redirect"] == address(license)
    license.refresh_from_db()
    assert (license.revoke_reason, license.revoked_by) == ("Unpaid", support.user)
    again = client.post(address(license, "revoke"), {"reason": "Other"})
    assert again.status_code == 302

    assert "Unpaid" in page(client, address(license, "reinstate"))
    client.post(address(license, "reinstate"))

    license.refresh_from_db()
    assert license.revoked_at is None
    assert [tag for tag, _ in audited(support.team)] == [
        "license:revoked",
        "license:reinstated",
    ]


def test_delete_says_whether_it_archives(client: Client, support: Membership) -> None:
    unused, used = LicenseFactory.create_batch(2, team=support.team)
    PullEventFactory(team=support.team, license=used)
    signed_in(client, support)

    assert "This cannot be undone." in page(client, address(unused, "delete"))
    client.post(address(unused, "delete"))
    assert "kept for the record" in page(client, address(used, "delete"))
    client.post(address(used, "delete"))

    assert License.objects.get() == used
    assert [tag for tag, _ in audited(support.team)] == [
        "license:deleted",
        "license:revoked",
        "license:archived",
    ]
    listed = page(client, address(used).rpartition("/")[0])
    assert used.customer.name not in listed
    assert "archived" in page(client, address(used))

    client.post(address(used, "restore"))

    used.refresh_from_db()
    assert used.archived_at is None
    assert used.revoked_at is not None
    assert used.customer.name in page(client, address(used).rpartition("/")[0])


@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("sales", "revoke"),
        ("sales", "delete"),
        ("sales", "reinstate"),
        ("read-only", "revoke"),
        ("read-only", "reinstate"),
        ("read-only", "edit"),
        ("developer", "edit"),
        ("developer", "revoke"),
    ],
)
def test_changes_are_for_whom_may(
    role: str, action: str, client: Client, owner: Membership
) -> None:
    license = LicenseFactory(team=owner.team)
    signed_in(client, MembershipFactory(team=owner.team, role=role))
    before = rows_of(owner.team)

    assert client.get(address(license, action)).status_code == 403
    assert client.post(address(license, action), {"reason": "x"}).status_code == 403
    assert rows_of(owner.team) == before
    assert f"/{action}" not in page(client, address(license)).replace("/registry", "")


@pytest.mark.parametrize("action", ["", "edit", "revoke", "reinstate"])
def test_licenses_of_another_team_are_unknown(
    action: str, client: Client, owner: Membership, outsider: Membership
) -> None:
    license = LicenseFactory(team=owner.team)
    own = f"/t/rival/licenses/{license.pk}/{action}".rstrip("/")
    signed_in(client, outsider)

    assert client.get(address(license, action)).status_code == 404
    assert client.get(own).status_code == 404
    assert client.post(own, {"reason": "x"}).status_code in {404, 405}
