"""Every reason to deny a pull, as skopeo prints it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from licenses.services import archive_customer, change_license, revoke_license
from registries.models import ExternalRegistry
from registries.services import change_registry
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor

NAME = "my-org/api"


def _no_license(vendor: Vendor) -> str:
    return ""


def _unknown(vendor: Vendor) -> str:
    return "2" * 27


def _expired(vendor: Vendor) -> str:
    license = vendor.license(expires_at=timezone.now() - timedelta(hours=1))
    return license.license_id.reveal()


def _revoked(vendor: Vendor) -> str:
    license = vendor.license()
    revoke_license(actor=vendor.actor, license=license, reason="Contract ended")
    return license.license_id.reveal()


def _other_application(vendor: Vendor) -> str:
    other = vendor.another_application(f"{vendor.team.slug}-other")
    return vendor.license(application=other).license_id.reveal()


def _archived(vendor: Vendor) -> str:
    license = vendor.license()
    archive_customer(actor=vendor.actor, customer=vendor.customer)
    return license.license_id.reveal()


def _not_shared(vendor: Vendor) -> str:
    other = vendor.another_application(f"{vendor.team.slug}-other")
    change_registry(
        actor=vendor.actor,
        registry=_sample(vendor),
        changes={},
        applications=[other],
        change_shares=True,
    )
    return vendor.license().license_id.reveal()


def _not_allowed(vendor: Vendor) -> str:
    change_registry(
        actor=vendor.actor,
        registry=_sample(vendor),
        changes={"repository_patterns": ["my-org/web", "public/*"]},
    )
    return vendor.license().license_id.reveal()


def _sample(vendor: Vendor) -> ExternalRegistry:
    return ExternalRegistry.objects.for_team(vendor.team.pk).get(slug="sample")


CASES: dict[str, tuple[Callable[[Vendor], str], str]] = {
    "no license": (_no_license, "No known license came with this request."),
    "unknown": (_unknown, "denied: No known license came with this request."),
    "expired": (_expired, "This license expired on "),
    "revoked": (_revoked, "This license was revoked on "),
    "another application's": (
        _other_application,
        "This license does not include the application ",
    ),
    "archived customer": (_archived, "belongs to an archived customer."),
    "not shared": (_not_shared, "The registry 'sample' is not available"),
    "not allowed": (_not_allowed, "is not offered to customers."),
}


@pytest.mark.parametrize("case", CASES)
def test_skopeo_prints_why_a_pull_is_denied(
    edge: EdgeClient, connected: Vendor, tmp_path: Path, case: str
) -> None:
    prepare, sentence = CASES[case]
    license_id = prepare(connected)
    name = f"proxy/{connected.application.slug}/sample/{NAME}"

    copy = edge.skopeo_copy(name, "v1.0.1", license_id, tmp_path / "image")

    assert copy.returncode != 0
    assert sentence in copy.stderr
    assert "denied" in copy.stderr
    assert not (tmp_path / "image" / "manifest.json").exists()


def test_unknown_and_foreign_applications_look_alike_to_a_customer(
    edge: EdgeClient, connected: Vendor
) -> None:
    license_id = connected.license().license_id.reveal()
    foreign = connected.another_application(f"{connected.team.slug}-foreign")
    answers = []
    for slug in (foreign.slug, "no-such-application"):
        name = f"proxy/{slug}/sample/{NAME}"
        answer = edge.get(name, "manifests/v1", edge.token(license_id, name))
        code, message = answer.error
        answers.append((answer.status, code, message.replace(slug, "SLUG")))

    assert answers[0] == answers[1]
    assert answers[0][:2] == (401, "DENIED")


def test_connected_and_unconnected_registries_look_alike_to_a_customer(
    edge: EdgeClient, connected: Vendor
) -> None:
    """Denied audiences must not learn which registries a vendor has."""
    license_id = _not_shared(connected)
    answers = []
    for slug in ("sample", "nothing.example"):
        name = f"proxy/{connected.application.slug}/{slug}/{NAME}"
        answer = edge.get(name, "manifests/v1", edge.token(license_id, name))
        answers.append((answer.status, answer.body.decode().replace(slug, "SLUG")))

    assert answers[0] == answers[1]


def test_the_challenge_carries_the_sentence_for_clients_that_ask_with_head(
    edge: EdgeClient, connected: Vendor
) -> None:
    license = connected.license()
    name = f"proxy/{connected.application.slug}/sample/{NAME}"
    token = edge.token(license.license_id.reveal(), name)
    change_license(
        actor=connected.actor,
        license=license,
        changes={"expires_at": timezone.now() - timedelta(days=1)},
    )

    answer = edge.get(name, "manifests/v1.0.1", token, method="HEAD")

    assert answer.status == 401
    assert answer.body == b""
    assert 'error="This license expired on ' in answer.headers["WWW-Authenticate"]
