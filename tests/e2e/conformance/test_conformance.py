"""To who is entitled, a registry behind Berth answers as one open to everybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.support.conformance.all_checks import CHECKS
from tests.support.conformance.check import Check
from tests.support.conformance.client import Target

# The tests write nothing themselves, but pytest-django makes a database only for tests
# that are marked to need one.
pytestmark = pytest.mark.django_db


@dataclass(frozen=True, slots=True)
class Difference:
    """What Berth means to answer where an open registry answers otherwise."""

    status: int
    code: str
    reason: str


_CATALOG = "The catalog names the repositories of every team, so nobody gets it."
_MALFORMED = "No decision can be asked for, so nginx lets nothing through to say so."
_NAME = Difference(400, "NAME_INVALID", _MALFORMED)
_TAG = Difference(400, "TAG_INVALID", _MALFORMED)
_NO_MANIFEST = Difference(404, "MANIFEST_UNKNOWN", _MALFORMED)
_NO_BLOB = Difference(404, "BLOB_UNKNOWN", _MALFORMED)
_DIGEST = Difference(400, "DIGEST_INVALID", _MALFORMED)
DIFFERENCES = {
    "token_registry": {
        "catalog": Difference(401, "UNAUTHORIZED", _CATALOG),
        "catalog_after_the_last_one_seen": Difference(401, "UNAUTHORIZED", _CATALOG),
        "name_too_long": Difference(
            401,
            "UNAUTHORIZED",
            "No token is for a name that cannot be; Distribution 2.8 fails with 500.",
        ),
    },
    "registry_behind_nginx": {
        "catalog": Difference(401, "DENIED", _CATALOG),
        "catalog_after_the_last_one_seen": Difference(401, "DENIED", _CATALOG),
        "name_too_long": _NAME,
        "name_with_capital_letters": _NAME,
        "name_with_three_underscores": _NAME,
        "name_that_begins_with_a_dash": _NAME,
        "name_that_ends_with_a_dot": _NAME,
        "tag_too_long": _TAG,
        "tag_with_a_plus": _TAG,
        "tag_with_an_encoded_space": _TAG,
        "tag_that_begins_with_a_dot": _TAG,
        "manifest_of_a_tag_that_cannot_be": _NO_MANIFEST,
        "malformed_digest": _NO_BLOB,
        "malformed_digest_deleted": _DIGEST,
        "digest_of_an_unknown_algorithm": _NO_BLOB,
    },
}


def _id(check: Check) -> str:
    return f"{check.category}-{check.name}"


@pytest.mark.parametrize("check", CHECKS, ids=_id)
def test_conformance(
    targets: Callable[[str], tuple[Target, Target]],
    check: Check,
    request: pytest.FixtureRequest,
) -> None:
    open_target, target = targets(check.name)
    expected, _ = check.run(open_target)
    assert (expected.status, expected.code) == (check.status, check.code)
    assert {name: expected.headers.get(name) for name in check.headers} == check.headers

    found, challenges = check.run(target)

    behind = request.node.callspec.params["targets"]
    if difference := DIFFERENCES[behind].get(check.name):
        assert (found.status, found.code) == (difference.status, difference.code)
        return
    assert found == expected
    # What no route is for is answered before anybody is asked who they are.
    assert challenges or found.headers["Content-Type"].startswith("text/plain")


def test_no_check_hides_another() -> None:
    names = [check.name for check in CHECKS]

    assert len(set(names)) == len(names) >= 60
    assert all(set(each) <= set(names) for each in DIFFERENCES.values())
