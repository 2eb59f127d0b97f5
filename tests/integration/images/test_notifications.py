"""What the registry tells is written down once, in whatever order it comes."""

from __future__ import annotations

import itertools
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from images.events import forget_notifications
from images.models import ImageManifest, ImageTag, RegistryNotification
from registries.models import PRIVATE_REGISTRY_ID, PullEvent
from tests.support.rows.factories import ApiTokenFactory, pull_credential
from tests.support.rows.vendor import Vendor, create_vendor

TOKEN = "notification-token-f3a1"
A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
NOW = datetime.now(UTC).replace(microsecond=0)
_ids = itertools.count()


@pytest.fixture(autouse=True)
def configured(settings: Any) -> None:
    settings.BERTH_REGISTRY_NOTIFICATION_TOKEN = TOKEN


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def slug(vendor: Vendor) -> str:
    return vendor.application.slug


def event(
    action: str,
    repository: str,
    digest: str = A,
    tag: str = "",
    *,
    seconds: float = 0,
    subject: str = "",
    method: str = "",
    **target: Any,
) -> dict[str, Any]:
    """Return an event in the form of Distribution's documentation."""
    methods = {"push": "PUT", "pull": "GET", "delete": "DELETE"}
    return {
        "id": f"event-{next(_ids)}-{uuid.uuid4()}"[:64],
        "timestamp": (NOW + timedelta(seconds=seconds)).isoformat(),
        "action": action,
        "target": {
            "mediaType": MANIFEST,
            "size": 528,
            "length": 528,
            "digest": digest,
            "repository": repository,
            "url": f"http://registry/v2/{repository}/manifests/{digest}",
            **({"tag": tag} if tag else {}),
            **target,
        },
        "request": {
            "id": str(uuid.uuid4()),
            "addr": "192.0.2.7:40000",
            "host": "registry",
            "method": method or methods.get(action, "GET"),
            "useragent": "docker/20.10",
        },
        "actor": {"name": subject} if subject else {},
        "source": {"addr": "registry:5000", "instanceID": str(uuid.uuid4())},
    }


def tell(client: Client, *events: Any, token: str = TOKEN) -> Any:
    return client.post(
        "/registry-notifications",
        json.dumps({"events": events}),
        content_type="application/vnd.docker.distribution.events.v1+json",
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )


def tags() -> dict[str, str]:
    return dict(ImageTag.objects.values_list("name", "manifest__digest"))


def test_a_push_is_listed_and_audited(
    client: Client, vendor: Vendor, slug: str
) -> None:
    api_token = ApiTokenFactory(team=vendor.team, kind="team", name="ci")
    subject = f"api-token:{api_token.pk}"

    answer = tell(client, event("push", f"{slug}/web/api", A, "v1", subject=subject))

    assert answer.status_code == 200
    tag = ImageTag.objects.get()
    assert (tag.name, tag.manifest.digest, tag.pushed_at) == ("v1", A, NOW)
    assert tag.repository.full_name == f"{slug}/web/api"
    assert (tag.pushed_by, tag.confirmed_at) == (subject, None)
    audited = AuditEvent.objects.get(tag="image:pushed")
    assert (audited.actor_label, audited.subject_label) == ("ci", f"{slug}/web/api")
    assert audited.data == {"tag": "v1", "digest": A, "login": subject}


def test_a_notification_counts_once(client: Client, vendor: Vendor, slug: str) -> None:
    license = vendor.license()
    pull = event("pull", f"{slug}/api", A, "v1", subject=f"license:{license.pk}")
    push = event("push", f"{slug}/api", A, "v1")

    for _ in range(3):
        assert tell(client, push, pull).status_code == 200

    counted = PullEvent.objects.get()
    assert (counted.count, counted.outcome) == (1, "allowed")
    assert (counted.license_id, counted.registry_id) == (
        license.pk,
        PRIVATE_REGISTRY_ID,
    )
    assert (counted.repository, counted.reference) == ("api", "v1")
    assert ImageTag.objects.get().last_pulled_at == NOW
    assert AuditEvent.objects.filter(tag="image:pushed").count() == 1


def test_a_pull_with_a_pull_credential_is_its_licenses_too(
    client: Client, vendor: Vendor, slug: str
) -> None:
    license = vendor.license()
    credential, _ = pull_credential(license, name="cluster")
    theirs, _ = pull_credential(create_vendor().license())

    for row in (credential, theirs):
        subject = f"pull-credential:{row.pk}"
        tell(client, event("pull", f"{slug}/api", A, "v1", subject=subject))

    counted = PullEvent.objects.get()
    assert (counted.license_id, counted.credential_id, counted.credential_name) == (
        license.pk,
        credential.pk,
        "cluster",
    )
    assert counted.holder == f"pull-credential:{credential.pk}"


def test_an_older_push_does_not_undo_a_newer_one(client: Client, slug: str) -> None:
    tell(client, event("push", f"{slug}/api", B, "v1", seconds=5))
    tell(client, event("push", f"{slug}/api", A, "v1"))

    assert tags() == {"v1": B}
    assert ImageManifest.objects.count() == 2
    # The registry is asked all the same.
    assert ImageTag.objects.get().confirmed_at is None


def test_a_deletion_is_audited_and_waits_to_be_confirmed(
    client: Client, vendor: Vendor, slug: str
) -> None:
    api_token = ApiTokenFactory(team=vendor.team, kind="team", name="ci")
    subject = f"api-token:{api_token.pk}"
    tell(client, event("push", f"{slug}/api", A, "v1"))
    tell(client, event("push", f"{slug}/api", A, "latest"))
    ImageManifest.objects.update(confirmed_at=NOW)
    ImageTag.objects.update(confirmed_at=NOW)

    tell(client, event("delete", f"{slug}/api", "", "latest", subject=subject))

    # Whoever forges one makes no image disappear from the list.
    assert tags() == {"v1": A, "latest": A}
    unsure = ImageTag.objects.filter(confirmed_at=None)
    assert [tag.name for tag in unsure] == ["latest"]
    audited = AuditEvent.objects.get(tag="image:deleted")
    assert (audited.actor_label, audited.data) == (
        "ci",
        {"tag": "latest", "login": subject},
    )

    tell(client, event("delete", f"{slug}/api", A, subject=subject))
    assert ImageManifest.objects.filter(confirmed_at=None).exists()


def test_berths_own_actions_are_not_recorded_again(client: Client, slug: str) -> None:
    tell(client, event("push", f"{slug}/api", A, "v1"))

    tell(client, event("push", f"{slug}/api", B, "latest", subject="berth"))
    tell(client, event("delete", f"{slug}/api", B, subject="berth"))

    assert tags() == {"v1": A}
    assert list(AuditEvent.objects.values_list("tag", flat=True))[-1] == "image:pushed"
    assert AuditEvent.objects.filter(tag__startswith="image:").count() == 1


def test_a_late_pull_is_dated_when_it_was(
    client: Client, vendor: Vendor, slug: str
) -> None:
    subject = f"license:{vendor.license().pk}"

    tell(client, event("pull", f"{slug}/api", A, "v1", subject=subject, seconds=-7200))

    assert PullEvent.objects.get().last_at == NOW - timedelta(hours=2)


def test_looks_and_platforms_of_an_index_are_no_pulls(
    client: Client, vendor: Vendor, slug: str
) -> None:
    subject = f"license:{vendor.license().pk}"
    tell(client, event("push", f"{slug}/api", B), event("push", f"{slug}/api", A, "v1"))
    ImageManifest.objects.filter(digest=A).update(children=[B])

    tell(client, event("pull", f"{slug}/api", A, "v1", subject=subject, method="HEAD"))
    assert not PullEvent.objects.exists()
    tell(client, event("pull", f"{slug}/api", A, subject=subject))
    tell(client, event("pull", f"{slug}/api", B, subject=subject))

    assert list(PullEvent.objects.values_list("reference", "count")) == [("v1", 1)]
    assert ImageTag.objects.get().last_pulled_at == NOW


def test_a_pull_by_digest_after_a_look_at_a_tag_is_one_of_the_tag(
    client: Client, vendor: Vendor, slug: str
) -> None:
    mine, other = (f"license:{vendor.license().pk}" for _ in range(2))
    tell(client, event("push", f"{slug}/api", A, "v1"))

    # As docker does.
    tell(client, event("pull", f"{slug}/api", A, "v1", subject=mine, method="HEAD"))
    tell(client, event("pull", f"{slug}/api", A, subject=mine))
    tell(client, event("pull", f"{slug}/api", A, subject=other))

    counted = PullEvent.objects.values_list("holder", "reference", "count")
    assert set(counted) == {(mine, "v1", 1), (other, A, 1)}


def test_what_berth_itself_reads_is_no_pull(client: Client, slug: str) -> None:
    tell(client, event("push", f"{slug}/api", A, "v1"))

    tell(client, event("pull", f"{slug}/api", A, "v1", subject="berth"))

    assert not PullEvent.objects.exists()
    assert ImageTag.objects.get().last_pulled_at is None
    assert ImageManifest.objects.get().last_pulled_at is None


def test_a_license_of_another_team_is_not_counted(client: Client, slug: str) -> None:
    other = create_vendor().license()

    tell(client, event("pull", f"{slug}/api", A, "v1", subject=f"license:{other.pk}"))

    assert not PullEvent.objects.exists()


@pytest.mark.parametrize(
    "unusable",
    [
        event("push", "no-such-app/api", A, "v1"),
        event("push", "my-app", A, "v1"),
        event("push", "My App/../x", A, "v1"),
        event("push", "{slug}/api", "sha256:short", "v1"),
        event("push", "{slug}/api", A, "no tag"),
        event("push", "{slug}/api", A, "v1", subject="a\x00b"),
        event("push", "{slug}/api", A, "v1", mediaType="application/octet-stream"),
        event("mount", "{slug}/api", A),
        {**event("push", "{slug}/api", A, "v1"), "timestamp": "yesterday"},
        {**event("push", "{slug}/api", A, "v1"), "timestamp": "2026-01-01T00:00:00"},
        {**event("push", "{slug}/api", A, "v1"), "id": "x" * 65},
        {**event("push", "{slug}/api", A, "v1"), "target": None},
        {},
        "text",
        None,
    ],
)
def test_what_cannot_be_used_is_left_out_and_the_rest_taken(
    unusable: Any, client: Client, slug: str
) -> None:
    text = json.dumps(unusable).replace("{slug}", slug)

    answer = tell(client, json.loads(text), event("push", f"{slug}/good", B, "v2"))

    # Anything but 200 would have the registry send it again for ever.
    assert answer.status_code == 200
    assert tags() == {"v2": B}


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], f"{TOKEN}x"])
def test_only_the_registry_is_believed(token: str, client: Client, slug: str) -> None:
    answer = tell(client, event("push", f"{slug}/api", A, "v1"), token=token)

    assert answer.status_code == 401
    assert not ImageTag.objects.exists()
    assert not RegistryNotification.objects.exists()


def test_nothing_is_there_without_a_token_in_the_settings(
    client: Client, slug: str, settings: Any
) -> None:
    settings.BERTH_REGISTRY_NOTIFICATION_TOKEN = ""

    assert tell(client, event("push", f"{slug}/api", A), token="").status_code == 404
    assert not ImageManifest.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"events": 3}', "[" * 10_000])
def test_what_is_no_envelope_is_refused(body: str, client: Client, db: None) -> None:
    answer = client.post(
        "/registry-notifications",
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )

    assert answer.status_code == 400
    assert answer.json() == {"detail": "Not an envelope of notifications."}


def test_ids_are_deleted_after_a_week(client: Client, slug: str) -> None:
    tell(client, event("push", f"{slug}/api", A, "v1"))
    tell(client, event("push", f"{slug}/api", B, "v2"))
    oldest = RegistryNotification.objects.earliest("received_at")
    RegistryNotification.objects.filter(pk=oldest.pk).update(
        received_at=timezone.now() - timedelta(days=8)
    )

    assert forget_notifications() == 1
    assert RegistryNotification.objects.count() == 1
