"""Use of a pull credential: noted, and told if it is from a new network."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from alerts.models import Alert
from licenses.models import PullCredential, PullCredentialNetwork
from licenses.services import (
    is_use_noted,
    rotate_pull_credential,
    touch_pull_credential,
)
from licenses.services.credential_use import MAX_NETWORKS_KEPT
from tests.support.rows.factories import pull_credential
from tests.support.rows.vendor import Vendor, create_vendor

HOME = "192.0.2.1"
ELSEWHERE = "198.51.100.7"


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def credential(vendor: Vendor) -> PullCredential:
    return pull_credential(vendor.license(), name="cluster")[0]


def use(credential: PullCredential, *addresses: str, client: str = "docker") -> None:
    for address in addresses:
        touch_pull_credential(credential.team_id, credential.pk, address, client)
    credential.refresh_from_db()


def told() -> list[Any]:
    """Return the data of the alerts of new networks, and nothing of other events."""
    alerts = Alert.objects.filter(event="pull_credential.new_network")
    return [alert.data for alert in alerts.order_by("created_at")]


def networks(credential: PullCredential) -> list[str]:
    known = PullCredentialNetwork.objects.filter(credential=credential)
    return sorted(known.values_list("network", flat=True))


def test_use_is_written_at_most_once_a_minute(credential: PullCredential) -> None:
    use(credential, HOME, client="docker/27.1\x1b[31m" + "x" * 200)
    assert credential.last_used_address == HOME
    assert credential.last_used_client == ("docker/27.1[31m" + "x" * 200)[:100]

    use(credential, "192.0.2.2", client="skopeo")
    assert credential.last_used_address == HOME
    PullCredential.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    use(credential, "192.0.2.2", client="skopeo")
    assert credential.last_used_client == "skopeo"


def test_a_use_from_a_new_network_is_told_once(credential: PullCredential) -> None:
    use(credential, HOME)
    assert told() == []

    use(credential, ELSEWHERE, ELSEWHERE, HOME, "198.51.7.1")

    (data,) = told()
    assert data["credential"]["name"] == "cluster"
    assert (data["network"], data["address"]) == ("198.51.0.0/16", ELSEWHERE)
    assert networks(credential) == ["192.0.0.0/16", "198.51.0.0/16"]
    alert = Alert.objects.get()
    assert alert.subject_id == credential.license_id
    assert alert.message.startswith("The pull credential cluster of the license of ")


def test_several_new_networks_of_a_day_are_told_once(
    credential: PullCredential,
) -> None:
    use(credential, HOME, ELSEWHERE, "203.0.113.1")
    assert len(told()) == 1
    alert = Alert.objects.get()
    yesterday = timezone.now() - timedelta(days=1)
    today = f"{timezone.now():%Y-%m-%d}"
    alert.key = alert.key.replace(today, f"{yesterday:%Y-%m-%d}")
    alert.save()

    use(credential, "203.0.113.1")
    assert len(told()) == 1
    use(credential, "100.64.0.1")
    assert len(told()) == 2


@pytest.mark.parametrize(
    ("first", "second", "is_told"),
    [
        ("192.0.2.1", "192.0.255.255", False),
        ("192.0.255.255", "192.1.0.0", True),
        ("2001:db8:1::1", "2001:db8:1:ffff:ffff::1", False),
        ("2001:db8:1:ffff::1", "2001:db8:2::", True),
        ("::ffff:192.0.2.1", "192.0.3.1", False),
        ("192.0.2.1", "2001:db8::1", True),
        ("unknown", "192.0.2.1", False),
        ("192.0.2.1", "unknown", False),
    ],
)
def test_a_network_is_a_16_or_a_48(
    credential: PullCredential, first: str, second: str, is_told: bool
) -> None:
    use(credential, first, second)

    assert bool(told()) is is_told


def test_where_a_credential_may_be_used_is_expected(vendor: Vendor) -> None:
    limited, _ = pull_credential(
        vendor.license(), networks=["192.0.2.0/24", "198.51.100.0/24"]
    )

    use(limited, HOME, ELSEWHERE)

    assert told() == []
    assert networks(limited) == ["192.0.0.0/16", "198.51.0.0/16"]


def test_a_rotated_credential_knows_where_it_was_used(
    vendor: Vendor, credential: PullCredential
) -> None:
    use(credential, HOME)
    new, _ = rotate_pull_credential(actor=vendor.actor, credential=credential)

    use(new, HOME)
    assert told() == []
    use(new, ELSEWHERE)
    assert [data["credential"]["id"] for data in told()] == [str(new.pk)]
    use(credential, ELSEWHERE)
    assert len(told()) == 2


def test_networks_are_kept_of_the_last_two_secrets_alone(
    vendor: Vendor, credential: PullCredential
) -> None:
    """A holder may rotate each second, which copies a hundred rows."""
    use(credential, HOME, ELSEWHERE)
    latest = credential

    for _ in range(4):
        latest, _secret = rotate_pull_credential(
            actor=vendor.actor, credential=latest, old_ends_at=timezone.now()
        )

    assert networks(latest) == ["192.0.0.0/16", "198.51.0.0/16"]
    assert PullCredentialNetwork.objects.count() == 4


def test_the_network_used_longest_ago_is_forgotten(credential: PullCredential) -> None:
    use(credential, *[f"10.{number}.0.1" for number in range(MAX_NETWORKS_KEPT)])
    use(credential, "10.0.0.1", HOME)

    kept = networks(credential)
    assert len(kept) == MAX_NETWORKS_KEPT
    assert {"10.0.0.0/16", "192.0.0.0/16"} < set(kept)
    assert "10.1.0.0/16" not in kept


def test_a_busy_credential_is_noted_from_each_network(
    credential: PullCredential,
) -> None:
    """What was stored a second ago says nothing of another network."""

    def is_noted(address: str) -> bool:
        return is_use_noted(credential.pk, credential.last_used_at, address)

    assert not is_noted(HOME)
    use(credential, HOME)
    assert is_noted(HOME)
    assert is_noted("192.0.200.1")
    assert not is_noted(ELSEWHERE)
    use(credential, ELSEWHERE)
    assert is_noted(ELSEWHERE)
    credential.last_used_at = timezone.now() - timedelta(minutes=2)
    assert not is_noted(HOME)


@pytest.mark.django_db(transaction=True)
def test_edges_that_notice_at_once_tell_it_once() -> None:
    credential, _ = pull_credential(create_vendor().license())
    start = threading.Barrier(4, timeout=20)

    def use_from(address: str) -> None:
        try:
            connection.ensure_connection()
            start.wait()
            touch_pull_credential(credential.team_id, credential.pk, address, "docker")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as edges:
        uses = [edges.submit(use_from, address) for address in (HOME, ELSEWHERE) * 2]
        for done in uses:
            done.result()

    assert networks(credential) == ["192.0.0.0/16", "198.51.0.0/16"]
    assert len(told()) == 1
