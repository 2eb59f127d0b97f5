from __future__ import annotations

import uuid

import pytest

from registries.models import LicenseTraffic, PullEvent, PullLog
from registries.pulls.events import Counted
from registries.pulls.log_position import (
    Position,
    PositionMoved,
    record_log,
    record_that_all_is_read,
    stored_position,
)
from registries.pulls.usage import LicenseDay, Usage
from tests.support.rows.vendor import Vendor, create_vendor
from tests.unit.registries.pulls.test_events import HOUR, pull_of

LOG = uuid.uuid4()
START = Position()
FIRST, SECOND = Position(7, 100, "a"), Position(7, 200, "a")


@pytest.fixture
def vendor(transactional_db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def usage(vendor: Vendor) -> Usage:
    license = vendor.license()
    usage = Usage()
    usage.add_pull(pull_of(vendor, license), Counted(HOUR))
    usage.traffic[LicenseDay(vendor.team.pk, license.pk, HOUR.date())] += 5
    return usage


def test_usage_is_stored_with_the_position(usage: Usage) -> None:
    assert stored_position(LOG) == (START, None)

    record_log(LOG, START, FIRST, usage, 2)
    record_log(LOG, FIRST, SECOND, usage, 1)

    position, read_at = stored_position(LOG)
    assert position == SECOND
    assert PullLog.objects.get().malformed_lines == 3
    assert PullEvent.objects.get().count == 2
    assert LicenseTraffic.objects.get().bytes == 10
    record_that_all_is_read(LOG)
    assert stored_position(LOG)[1] > read_at  # type: ignore[operator]


def test_a_batch_whose_answer_was_lost_counts_once(usage: Usage) -> None:
    for _ in range(2):
        record_log(LOG, START, FIRST, usage, 1)

    assert PullEvent.objects.get().count == 1
    assert PullLog.objects.get().malformed_lines == 1


def test_a_log_that_another_has_counted_is_not_counted(usage: Usage) -> None:
    record_log(LOG, START, SECOND, usage, 0)

    with pytest.raises(PositionMoved):
        record_log(LOG, START, FIRST, usage, 0)
    assert PullEvent.objects.get().count == 1
    assert stored_position(LOG)[0] == SECOND
    assert stored_position(uuid.uuid4())[0] == START
