"""What customers see of a team: the settings page, the logo and the colors."""

from __future__ import annotations

import hashlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from audit.models import AuditEvent
from customers.models import VendorLook
from teams.models import Membership, Team
from tests.support.pages.pictures import jpeg, png
from tests.support.pages.team_pages import message_of, seen, signed_in

LOOK = "/t/acme/settings/customers"


def upload(browser: Client, content: bytes, name: str = "logo.png") -> object:
    file = SimpleUploadedFile(name, content, content_type="image/png")
    return browser.post(f"{LOOK}/logo", {"logo": file})


def test_what_customers_see_is_saved_and_audited(owner: Membership, team: Team) -> None:
    browser = signed_in(owner)
    values = {
        "display_name": "Kestrel",
        "accent": "#C2410C",
        "support_email": "help@kestrel.example",
        "support_url": "https://kestrel.example/help",
        "reply_to": "licenses@kestrel.example",
    }

    response = browser.post(LOOK, values | seen(browser, LOOK))

    assert response.status_code == 302
    look = VendorLook.objects.get(team=team)
    assert (look.name, look.accent) == ("Kestrel", "#c2410c")
    event = AuditEvent.objects.get(tag="look:changed")
    assert event.data["reply_to"] == "licenses@kestrel.example"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("accent", "red"),
        ("accent", "#12345"),
        ("support_url", "javascript:alert(1)"),
        ("support_url", "kestrel.example"),
        ("support_email", "nobody"),
        ("display_name", "Kestrel\nBcc: everybody@example.com"),
    ],
)
def test_invalid_values_are_refused(owner: Membership, field: str, value: str) -> None:
    browser = signed_in(owner)

    response = browser.post(LOOK, {field: value} | seen(browser, LOOK))

    assert message_of(response, field)
    assert not VendorLook.objects.exists()


@pytest.mark.parametrize(("content", "kind"), [(png(), "png"), (jpeg(), "jpeg")])
def test_a_logo_is_served_as_a_picture_that_never_changes(
    owner: Membership, content: bytes, kind: str
) -> None:
    upload(signed_in(owner), content)
    digest = hashlib.sha256(content).hexdigest()

    response = Client().get(f"/c/logos/{digest}")

    assert response.content == content
    assert response.headers["Content-Type"] == f"image/{kind}"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in response.headers["Cache-Control"]
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert digest in signed_in(owner).get(LOOK).content.decode()


def test_a_script_is_refused_as_a_logo(owner: Membership) -> None:
    response = upload(signed_in(owner), b"<svg onload='alert(1)'/>", "logo.png")

    assert "Choose a PNG or JPEG file." in response.content.decode()  # type: ignore[attr-defined]
    assert not VendorLook.objects.exclude(logo=None).exists()


def test_a_removed_logo_is_no_longer_served(owner: Membership) -> None:
    browser = signed_in(owner)
    upload(browser, png())
    digest = VendorLook.objects.get().logo_digest

    browser.post(f"{LOOK}/logo/remove")

    assert Client().get(f"/c/logos/{digest}").status_code == 404


@pytest.mark.parametrize("digest", ["", "x", "0" * 64])
def test_an_unknown_digest_is_not_found(owner: Membership, digest: str) -> None:
    assert Client().get(f"/c/logos/{digest}").status_code == 404


def test_only_colors_have_a_style_sheet() -> None:
    response = Client().get("/c/colors/ffee00.css")

    assert response.headers["Content-Type"] == "text/css"
    assert "--vendor-button: " in response.content.decode()
    assert "#ffee00" not in response.content.decode().split("\n", maxsplit=1)[0]
    assert Client().get("/c/colors/red;}body{.css").status_code == 404
