"""The pages that describe the REST API."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from portal.reference.document import document, reference
from tests.support.pages.reading import text_of

DOCS = "/api/v1/docs"


def test_strangers_find_every_operation(client: Client, db: None) -> None:
    overview = client.get(DOCS).content.decode()
    told = {
        (described["operationId"], method.upper(), path)
        for path, methods in document()["paths"].items()
        for method, described in methods.items()
    }

    found = set()
    for name in reference().sections:
        page = client.get(f"{DOCS}/{name}").content.decode()
        for operation, method, path in told:
            if f'<h2 id="{operation}">' in page:
                found.add((operation, method, path))
                assert f'href="{DOCS}/{name}#{operation}"' in overview
                assert f"{method}</span> {path}</code>" in page
                assert overview.count(f"{method}</span> {path}</code>") == 1
    assert found == told


def test_a_page_says_what_is_sent_and_what_comes_back(client: Client, db: None) -> None:
    page = client.get(f"{DOCS}/licenses")
    text = re.sub(r"\s+", " ", text_of(page))

    assert "customer string · required ID or custom ID" in text
    assert "type paid | trial | dev | community" in text
    assert "pull_credential.networks list of string" in text
    assert "If-Match header, string" in text
    assert "201 · IssuedLicense" in text
    assert "expires_at date-time or null" in text
    held = re.sub(r"\s+", " ", text_of(client.get(f"{DOCS}/license-holder")))
    assert "Login: HTTP Basic, with a license ID" in held
    assert '"image": "quay.io/my-org/api:v1.0.1"' in held


@pytest.mark.parametrize("section", ["", "/licenses"])
def test_pages_lead_back_and_need_no_scripts(
    client: Client, db: None, section: str
) -> None:
    response = client.get(f"{DOCS}{section}")
    page = response.content.decode()

    assert f'href="{DOCS}"' in page
    assert 'href="/help/automate/"' in page
    assert 'href="/"' in page
    assert "unsafe-inline" not in response.headers["Content-Security-Policy"]
    assert "https://" not in page


def test_what_is_no_section_is_not_found(client: Client, db: None) -> None:
    assert client.get(f"{DOCS}/nothing").status_code == 404
    assert client.post(DOCS).status_code == 405


def test_the_specification_can_be_downloaded(client: Client, db: None) -> None:
    overview = client.get(DOCS).content.decode()
    assert 'href="/api/v1/schema" download="berth-openapi.yaml"' in overview

    response = client.get("/api/v1/schema")

    assert response.headers["Content-Type"] == "application/vnd.oai.openapi"
    assert response.content.startswith(b"openapi: 3.0")
