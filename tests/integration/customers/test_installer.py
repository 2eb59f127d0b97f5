"""The installer on the customer's pages: its lines, its bytes, and no dead link."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client

from customers.models import Contact
from licenses.models import License
from teams.models import Membership
from tests.integration.customers.conftest import signed_in
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in as member_browser
from tests.support.rows.factories import LicenseFactory

NAME = "berth_installer-1.2.3-py3-none-any.whl"
CONTENT = b"PK of a wheel"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
ADDRESS = f"/c/installer/{DIGEST[:16]}/{NAME}"
PAGES = ("install?tool=kustomize", "license-file")


@pytest.fixture
def wheel(tmp_path: Path, settings: Any) -> Path:
    path = tmp_path / NAME
    path.write_bytes(CONTENT)
    settings.BERTH_INSTALLER_WHEEL = str(path)
    return path


@pytest.fixture
def license(anna: Contact) -> License:
    return LicenseFactory(customer=anna.customer, team=anna.team)


def warnings() -> list[str]:
    return [str(found.msg) for found in run_checks() if found.id == "customers.W001"]


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_show_how_to_get_it(
    page: str, wheel: Path, reader: Contact, license: License, viewer: Membership
) -> None:
    own = signed_in(reader).get(f"/c/{reader.customer_id}/{page}")
    viewed = member_browser(viewer).get(
        f"/t/{reader.team.slug}/customers/{reader.customer_id}/view/{page}"
    )

    for response in (own, viewed):
        text = text_of(response)
        assert f"--remote-name http://testserver{ADDRESS}" in text
        assert f"echo '{DIGEST} {NAME}' | sha256sum --check" in text
        assert f"pip install ./{NAME}" in text


def test_anybody_gets_its_bytes(wheel: Path, client: Client, db: None) -> None:
    response = client.get(ADDRESS)
    head = client.head(ADDRESS)

    assert response.content == CONTENT
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{NAME}"'
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert response.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    assert "immutable" in response.headers["Cache-Control"]
    assert response.cookies == {}
    for answer in (response, head):
        assert answer.headers["Content-Length"] == str(len(CONTENT))
    assert head.content == b""
    assert client.post(ADDRESS).status_code == 405


def test_other_bytes_have_another_address(
    wheel: Path, client: Client, db: None
) -> None:
    wheel.write_bytes(b"PK of a later wheel")

    assert client.get(ADDRESS).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        f"/c/installer/{DIGEST[:16]}/berth_installer-1.2.4-py3-none-any.whl",
        f"/c/installer/{'0' * 16}/{NAME}",
        f"/c/installer/{DIGEST}/{NAME}",
        f"/c/installer/{DIGEST[:16]}/..%2F..%2Fsecret-key",
    ],
)
def test_nothing_else_is_sent(path: str, wheel: Path, client: Client, db: None) -> None:
    (wheel.parent / "secret-key").write_bytes(CONTENT)

    assert client.get(path).status_code == 404


def no_setting(wheel: Path) -> str:
    return ""


def no_file(wheel: Path) -> str:
    wheel.unlink()
    return str(wheel)


def another_file(wheel: Path) -> str:
    return str(wheel.rename(wheel.with_name("secret-key.pem")))


def directory(wheel: Path) -> str:
    return str(wheel.parent)


@pytest.mark.parametrize("without", [no_setting, no_file, another_file, directory])
def test_without_a_wheel_nothing_is_said_of_it(
    without: Any,
    wheel: Path,
    settings: Any,
    anna: Contact,
    license: License,
) -> None:
    settings.BERTH_INSTALLER_WHEEL = path = without(wheel)
    browser = signed_in(anna)

    for page in PAGES:
        response = browser.get(f"/c/{anna.customer_id}/{page}")
        assert "Install berth-installer, which Acme gives you." in text_of(response)
        assert ".whl" not in response.content.decode()
    assert browser.get(ADDRESS).status_code == 404
    # The operator is told, unless they chose this.
    assert len(warnings()) == bool(path)
    assert all(path in warning for warning in warnings())


def test_a_wheel_is_no_problem(wheel: Path) -> None:
    assert warnings() == []
