"""Neither the database nor any log holds a secret in clear."""

from __future__ import annotations

import base64
import logging
import re
import subprocess
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client

from customers.services.contacts import add_contact
from customers.services.links import send_links
from deploy.local.postgres_home import wheel_binaries
from portal.crypto.secrets import Secret
from registries.models import ExternalRegistry
from registries.services import NewCredential, draft_credential, replace_credential
from teams.models import ApiToken, StoredMail
from teams.permissions import Role
from teams.services import create_service_account
from tests.e2e.conftest import UPSTREAM_LOGIN
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import PASSWORD, Vendor

REPLACED = ("sample-two", "replaced-password-55e1")


@dataclass
class Planted:
    """All the secrets there are, each really stored and used."""

    license_id: str
    user_token: str
    service_account_token: str
    team_token: str
    replayed_token: str
    registry_token: str
    session: str
    customer_link: str

    @property
    def all(self) -> list[str]:
        logins = (*UPSTREAM_LOGIN[1:], *REPLACED)
        return [*vars(self).values(), *logins, PASSWORD]


@pytest.fixture
def planted(edge: EdgeClient, connected: Vendor) -> Planted:
    vendor = connected
    vendor.give_owner_a_password()
    robot = create_service_account(
        actor=vendor.actor, team=vendor.team, name="ci", role=Role.DEVELOPER
    )
    kinds: dict[ApiToken.Kind, dict[str, Any]] = {
        ApiToken.Kind.USER: {"user": vendor.owner},
        ApiToken.Kind.SERVICE_ACCOUNT: {"service_account": robot},
        ApiToken.Kind.TEAM: {"role": Role.ADMIN},
    }
    texts = [
        vendor.api_token(kind, **holder)[1].reveal() for kind, holder in kinds.items()
    ]
    replace_credential(
        actor=vendor.actor,
        draft=draft_credential(
            actor=vendor.actor,
            registry=ExternalRegistry.objects.get(team=vendor.team),
            new=NewCredential("password", REPLACED[0], Secret(REPLACED[1])),
        ),
        result=None,
    )
    created = Client().post(
        "/api/v1/api-tokens",
        {"name": "replayed", "kind": "user"},
        content_type="application/json",
        headers={
            "Authorization": f"Bearer {texts[0]}",
            "Idempotency-Key": "once",
        },
    )
    assert created.status_code == 201, created.content
    license_id = vendor.license().license_id.reveal()
    browser = Client()
    browser.force_login(vendor.owner)
    name = f"proxy/{vendor.application.slug}/sample/my-org/api"
    return Planted(
        license_id=license_id,
        user_token=texts[0],
        service_account_token=texts[1],
        team_token=texts[2],
        replayed_token=created.json()["token"],
        registry_token=edge.token(license_id, name),
        session=browser.cookies["sessionid"].value,
        customer_link=mailed_link(vendor),
    )


def mailed_link(vendor: Vendor) -> str:
    """Send a customer's contact a link; return its secret, from the stored mail."""
    contact = add_contact(
        actor=vendor.actor, customer=vendor.customer, email="anna@customer.example"
    )
    send_links(
        actor=vendor.actor,
        customer=vendor.customer,
        contacts=[contact],
        site="https://portal.example.com",
    )
    message = StoredMail.objects.get().message.reveal()
    match = re.search(r"/c/links/([\w-]{43})", message)
    assert match
    return match[1]


def spellings(secret: str) -> list[str]:
    """Return a secret as text, in base64 and in hexadecimal."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return [secret, encoded, secret.encode().hex()]


def test_a_dump_of_the_database_holds_no_secret(planted: Planted) -> None:
    database = connection.settings_dict
    dump = subprocess.run(
        [
            str(wheel_binaries() / "pg_dump"),
            "--data-only",
            "--inserts",
            str(database["NAME"]),
        ],
        env={
            "PGHOST": str(database["HOST"]),
            "PGPORT": str(database["PORT"]),
            "PGUSER": str(database["USER"]),
            "PGPASSWORD": str(database["PASSWORD"]),
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert dump.count("INSERT INTO public.registries_credential ") == 2
    assert dump.count("INSERT INTO public.teams_apitoken ") == 4
    assert dump.count("INSERT INTO public.teams_session ") == 1
    assert dump.count("INSERT INTO public.teams_idempotencyrecord ") == 1
    assert dump.count("v1:test") >= 6
    for secret in planted.all:
        for spelling in spellings(secret):
            assert spelling not in dump


def test_no_log_line_holds_a_secret(
    edge: EdgeClient,
    connected: Vendor,
    planted: Planted,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    name = f"proxy/{connected.application.slug}/sample/my-org/api"
    edge.get(name, "manifests/v1", planted.registry_token)
    edge.get(name, "manifests/v1", planted.registry_token + "x")
    for login in (("x", planted.license_id), ("nobody@x.example", planted.user_token)):
        edge.token_answer(login, f"repository:{name}:pull")
        form = urlencode(
            {"grant_type": "password", "service": "berth-proxy", "username": login[0]}
            | {"password": login[1], "client_id": "test"}
        )
        edge.request("POST", "/v2/token", {}, form.encode())
    for token in (planted.user_token, planted.user_token + "x"):
        Client().get("/api/v1/registries", headers={"Authorization": f"Bearer {token}"})
        Client().post("/api/v1/nowhere", headers={"Authorization": f"Bearer {token}"})

    lines = edge.log.read_text() + caplog.text

    assert "Pull denied" in lines or "Upstream failed" in lines
    for secret in planted.all:
        for spelling in spellings(secret):
            assert spelling not in lines
