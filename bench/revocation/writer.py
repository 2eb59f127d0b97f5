"""Ends rights and gives them back, by the services, and notes when it did.

In a process of its own a service has the surest commit times: nothing is in between,
and a connection that broke cannot commit any more, or holds the lock until it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from django.db import Error, connection, transaction

from bench.harness.rounds import say
from bench.pulls.vendor import Vendor
from bench.revocation.clock import Clock
from bench.revocation.generator import Changes, Pulls, WantedChange
from bench.revocation.history import Change, Right
from licenses.models import Customer, License
from licenses.services import (
    archive_customer,
    change_license,
    create_customer,
    issue_license,
    reinstate_license,
    restore_customer,
    revoke_license,
)

READ_BACK_SECONDS = 0.2


def issue_licenses(vendor: Vendor, count: int) -> list[License]:
    """Issue licenses to a customer each."""
    return [
        issue_license(
            actor=vendor.actor,
            customer=create_customer(
                actor=vendor.actor, team=vendor.team, name=f"Customer {number}"
            ),
            application=vendor.application,
            type="paid",
        )
        for number in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Writer:
    """Makes changes until ``stopped``, in one thread, one after the other."""

    vendor: Vendor
    licenses: Sequence[License]
    generator: Changes
    pulls: Pulls
    clock: Clock
    changes: list[Change]
    stopped: Event

    def run(self) -> None:
        while not self.stopped.wait(self.generator.draw_pause()):
            self._make(self.generator.draw(self.pulls.downloading.copy()))
        connection.close()

    def _make(self, wanted: WantedChange) -> None:
        self.pulls.note_change(wanted.license)
        asked = self.clock.now()
        expires_at = self._expiry(wanted, asked)
        answered = None
        try:
            _SERVICES[wanted.right, wanted.ends](
                self.vendor, self.licenses[wanted.license], expires_at
            )
            answered = self.clock.now()
        except Error as error:
            say(f"  the outcome of a change is unknown: {type(error).__name__}")
        at = self.clock.seconds(expires_at) if expires_at else -math.inf
        self.changes.append(
            Change(wanted.license, wanted.right, wanted.ends, asked, answered, at)
        )
        if answered is None:
            self._read_back(wanted)
        else:
            self.generator.settle(wanted.license, wanted.right, ended=wanted.ends)

    def _expiry(self, wanted: WantedChange, asked: float) -> datetime | None:
        if wanted.right is Right.NOT_EXPIRED and wanted.ends:
            return self.clock.date(asked + wanted.in_seconds)
        return None

    def _read_back(self, wanted: WantedChange) -> None:
        """Look until the database answers, however long that takes."""
        while not self.stopped.wait(READ_BACK_SECONDS):
            connection.close()
            asked = self.clock.now()
            try:
                ends = read_ends(self.licenses[wanted.license])
            except Error:
                continue
            end = ends[wanted.right]
            at = self.clock.seconds(end) if end else -math.inf
            self.changes.append(
                Change(
                    license=wanted.license,
                    right=wanted.right,
                    ends=end is not None,
                    asked=asked,
                    answered=self.clock.now(),
                    at=at if wanted.right is Right.NOT_EXPIRED else -math.inf,
                    read_back=True,
                )
            )
            self.generator.settle(wanted.license, wanted.right, ended=end is not None)
            return


@transaction.atomic
def read_ends(license: License) -> Mapping[Right, datetime | None]:
    """Return when each right of a license ended or ends.

    The rows are locked, so this waits for a commit that is still under way.
    """
    row = License.objects.select_for_update().get(pk=license.pk)
    customer = Customer.objects.select_for_update().get(pk=license.customer_id)
    return {
        Right.NOT_REVOKED: row.revoked_at,
        Right.NOT_EXPIRED: row.expires_at,
        Right.NOT_ARCHIVED: customer.archived_at,
    }


def _revoke(vendor: Vendor, license: License, _expires_at: datetime | None) -> None:
    revoke_license(actor=vendor.actor, license=license, reason="bench")


def _reinstate(vendor: Vendor, license: License, _expires_at: datetime | None) -> None:
    reinstate_license(actor=vendor.actor, license=license)


def _set_expiry(vendor: Vendor, license: License, expires_at: datetime | None) -> None:
    changes = {"expires_at": expires_at}
    change_license(actor=vendor.actor, license=license, changes=changes)


def _archive(vendor: Vendor, license: License, _expires_at: datetime | None) -> None:
    archive_customer(actor=vendor.actor, customer=license.customer)


def _restore(vendor: Vendor, license: License, _expires_at: datetime | None) -> None:
    restore_customer(actor=vendor.actor, customer=license.customer)


_SERVICES: Mapping[
    tuple[Right, bool], Callable[[Vendor, License, datetime | None], None]
] = {
    (Right.NOT_REVOKED, True): _revoke,
    (Right.NOT_REVOKED, False): _reinstate,
    (Right.NOT_EXPIRED, True): _set_expiry,
    (Right.NOT_EXPIRED, False): _set_expiry,
    (Right.NOT_ARCHIVED, True): _archive,
    (Right.NOT_ARCHIVED, False): _restore,
}
