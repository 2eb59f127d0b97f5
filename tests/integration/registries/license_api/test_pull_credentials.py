"""A license holder who has a pull credential instead of the license ID."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
import yaml
from django.utils import timezone

from alerts.models import Alert
from audit.models import AuditEvent
from licenses.models import License, PullCredential
from licenses.services import (
    replace_license_id,
    revoke_leaked,
    revoke_pull_credential,
)
from portal.crypto.secrets import Secret
from teams.actors import NO_REQUEST, Actor
from teams.models import Team
from tests.support.clients.api import code_of
from tests.support.clients.license_holder import LicenseClient, basic
from tests.support.rows.factories import pull_credential
from tests.support.rows.world import rows_of

GETS = ["", "/file", "/pull-secret"]


def client_of(secret: str) -> LicenseClient:
    return LicenseClient(authorization=basic("any", secret))


def post(client: LicenseClient, path: str, body: object = None, **options: Any) -> Any:
    return client.request("post", f"/license/{path}", body or {}, **options)


@pytest.fixture
def credential(license: License) -> tuple[PullCredential, str]:
    return pull_credential(license, name="cluster")


@pytest.fixture
def offered(team: Team) -> None:
    Team.objects.filter(pk=team.pk).update(customers_make_credentials=True)


def test_a_credential_reads_the_license_but_never_its_id(
    license: License, credential: tuple[PullCredential, str]
) -> None:
    """Whoever learned the ID with a credential would keep it after its end."""
    row, text = credential
    client = client_of(text)

    answers = [client.get(path) for path in GETS]

    assert [answer.status_code for answer in answers] == [200] * 3
    license_id = license.license_id.reveal()
    assert not any(license_id in answer.content.decode() for answer in answers)
    assert yaml.safe_load(answers[1].content)["spec"]["licenseID"] == text
    secret = yaml.safe_load(answers[2].content)
    config = base64.b64decode(secret["data"][".dockerconfigjson"])
    logins = json.loads(config)["auths"].values()
    passwords = [base64.b64decode(login["auth"]).decode() for login in logins]
    assert {password.partition(":")[2] for password in passwords} == {text}
    row.refresh_from_db()
    assert row.last_used_at is not None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"revoked_at": timezone.now()}, "credential_revoked"),
        ({"expires_at": timezone.now()}, "credential_expired"),
        ({"networks": ["10.0.0.0/8"]}, "network_not_allowed"),
    ],
)
def test_what_may_not_pull_may_not_read_either(
    license: License, fields: dict[str, Any], reason: str
) -> None:
    row, text = pull_credential(license, **fields)

    for path in GETS:
        response = client_of(text).get(path)
        assert (response.status_code, code_of(response)) == (403, reason)
    row.refresh_from_db()
    assert row.last_used_at is None


def test_nothing_is_made_unless_the_vendor_lets_licenses(
    license: License, holder: LicenseClient, credential: tuple[PullCredential, str]
) -> None:
    before = rows_of(license.team)

    for client in (holder, client_of(credential[1])):
        for path, body in (
            ("pull-credentials", {"name": "mine"}),
            ("pull-credential/rotate", {}),
        ):
            response = post(client, path, body)
            assert response.status_code == 403
            assert code_of(response) == "pull_credentials_not_offered"
    after = rows_of(license.team)
    assert len(after["licenses.PullCredential"]) == 1
    assert after["audit.AuditEvent"] == before["audit.AuditEvent"]


@pytest.mark.usefixtures("offered")
def test_a_license_id_makes_credentials(
    license: License, holder: LicenseClient
) -> None:
    response = post(holder, "pull-credentials", {"name": "mine"})

    assert response.status_code == 201
    assert client_of(response.json()["credential"]).get().status_code == 200
    event = AuditEvent.objects.get(tag="pull-credential:created")
    assert (event.actor_kind, event.actor_id) == ("license", license.pk)
    assert event.actor_label == "Initech: my-app (license ID)"
    rotate = post(holder, "pull-credential/rotate")
    assert (rotate.status_code, code_of(rotate)) == (409, "not_a_pull_credential")


@pytest.mark.usefixtures("offered")
def test_a_credential_renews_itself_and_a_lost_answer_can_be_asked_for_again(
    credential: tuple[PullCredential, str],
) -> None:
    row, text = credential
    key = {"Idempotency-Key": "renewal"}

    first = post(client_of(text), "pull-credential/rotate", headers=key)
    again = post(client_of(text), "pull-credential/rotate", headers=key)

    assert first.status_code == 201
    assert again.json() == first.json()
    new = client_of(first.json()["credential"])
    assert new.get().status_code == 200
    row.refresh_from_db()
    assert row.state() == "replaced"
    other = post(new, "pull-credential/rotate", headers=key)
    assert (other.status_code, code_of(other)) == (409, "previous_secret_valid")


@pytest.mark.usefixtures("offered")
def test_what_a_credential_makes_is_no_more_than_itself(license: License) -> None:
    end = (timezone.now() + timedelta(days=5)).replace(microsecond=0)
    networks = ["198.18.0.0/15"]
    maker, text = pull_credential(license, expires_at=end, networks=networks)
    client = client_of(text)

    for body, named in (
        ({"expires_at": (end + timedelta(days=1)).isoformat()}, "expires_at"),
        ({"networks": ["0.0.0.0/0"]}, "networks"),
    ):
        refused = post(client, "pull-credentials", {"name": "more"} | body)
        assert refused.status_code == 400
        assert list(refused.json()["errors"]) == [named]
    made = post(client, "pull-credentials", {"name": "same"})

    row = PullCredential.objects.exclude(pk=maker.pk).get()
    assert made.status_code == 201
    assert (row.expires_at, row.networks, row.created_with) == (end, networks, maker)


@pytest.mark.usefixtures("offered")
def test_what_a_credential_made_ends_with_it(
    license: License, credential: tuple[PullCredential, str], actor: Actor
) -> None:
    row, text = credential
    made = post(client_of(text), "pull-credentials", {"name": "made"}).json()
    further = post(client_of(made["credential"]), "pull-credentials", {"name": "b"})
    kept, _ = pull_credential(license)

    revoke_pull_credential(actor=actor, credential=row)

    states = {item.name: item.state() for item in PullCredential.objects.all()}
    assert states.pop(kept.name) == "active"
    assert set(states.values()) == {"revoked"}
    assert client_of(further.json()["credential"]).get().status_code == 403


@pytest.mark.usefixtures("offered")
def test_what_a_credential_made_ends_with_it_although_it_was_renewed(
    credential: tuple[PullCredential, str], actor: Actor
) -> None:
    """Only the credential's own successor goes on: that may be its owner's."""
    row, text = credential
    made = post(client_of(text), "pull-credentials", {"name": "made"}).json()
    renewed = post(client_of(made["credential"]), "pull-credential/rotate").json()
    further = post(client_of(renewed["credential"]), "pull-credentials", {"name": "b"})
    own = post(client_of(text), "pull-credential/rotate").json()

    revoke_pull_credential(actor=actor, credential=row)

    for secret in (text, made["credential"], renewed["credential"]):
        assert client_of(secret).get().status_code == 403
    assert client_of(further.json()["credential"]).get().status_code == 403
    assert client_of(own["credential"]).get().status_code == 200


@pytest.mark.usefixtures("offered")
def test_a_leak_of_a_secret_ends_what_was_renewed_with_it(
    credential: tuple[PullCredential, str], actor: Actor
) -> None:
    """Whoever found the secret may have renewed it; a vendor's rotation is safe."""
    row, text = credential
    renewed = post(client_of(text), "pull-credential/rotate").json()["credential"]

    revoke_pull_credential(actor=actor, credential=row)
    assert client_of(renewed).get().status_code == 200
    revoke_leaked(Secret(text), NO_REQUEST)

    assert client_of(renewed).get().status_code == 403


@pytest.mark.usefixtures("offered")
def test_the_license_tells_how_long_the_credential_lasts(license: License) -> None:
    end = (timezone.now() + timedelta(days=5)).replace(microsecond=0)
    row, text = pull_credential(license, name="cluster", expires_at=end)

    shown = client_of(text).get().json()["pull_credential"]

    assert shown == {
        "name": "cluster",
        "key": row.key,
        "created_at": shown["created_at"],
        "expires_at": end.isoformat().replace("+00:00", "Z"),
        "can_rotate": True,
    }
    Team.objects.update(customers_make_credentials=False)
    assert client_of(text).get().json()["pull_credential"]["can_rotate"] is False
    assert LicenseClient(license).get().json()["pull_credential"] is None


def test_a_replaced_license_id_gets_a_file_with_the_new_one(
    license: License, actor: Actor
) -> None:
    old = LicenseClient(license)

    new = replace_license_id(actor=actor, license=license)

    file = yaml.safe_load(old.get("/file").content)
    assert file["spec"]["licenseID"] == new.reveal()
    License.objects.update(previous_license_id_ends_at=timezone.now())
    ended = old.get("/file")
    assert (ended.status_code, code_of(ended)) == (403, "credential_expired")


def test_a_use_from_a_new_network_is_told_once(
    credential: tuple[PullCredential, str], settings: Any
) -> None:
    """Behind a proxy that is believed; a header from anybody else is not."""
    settings.BERTH_TRUSTED_PROXIES = [ip_network("198.18.0.0/15")]
    client = client_of(credential[1])

    def use(address: str) -> None:
        assert client.get(headers={"X-Forwarded-For": address}).status_code == 200

    def alerts() -> list[str]:
        told = Alert.objects.filter(event="pull_credential.new_network")
        return [alert.data["address"] for alert in told]

    use("203.0.113.7")
    assert alerts() == []
    use("192.0.2.9")
    assert alerts() == ["192.0.2.9"]
    for address in ("192.0.2.9", "203.0.113.7", "192.0.2.200"):
        use(address)
    assert alerts() == ["192.0.2.9"]
    stored = str(list(Alert.objects.values()))
    assert credential[1] not in stored

    settings.BERTH_TRUSTED_PROXIES = []
    client_of(credential[1]).get(headers={"X-Forwarded-For": "100.64.0.1"})
    row = credential[0]
    assert not row.used_networks.filter(network="100.64.0.0/16").exists()
