"""A license file that readers would understand differently is refused."""

from __future__ import annotations

import pytest

from installer.license.file import LicenseError, parse_license
from tests.support.installer.licenses import Signer, document, license_yaml


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Duplicate keys: readers differ in which one they take.
        ("spec:\n", "spec: {licenseID: another, appSlug: other}\nspec:\n"),
        ("  licenseSequence: 7", "  licenseSequence: 9\n  licenseSequence: 7"),
        ("  licenseSequence: 7", "  'licenseSequence': 9\n  licenseSequence: 7"),
        ("kind:", 'kind: "Pod"\nkind:'),
        # Merge keys.
        ("spec:\n", "spec:\n  <<: {isAirgapSupported: true}\n"),
        ("spec:\n", "spec:\n  <<: [{isAirgapSupported: true}]\n"),
        # Keys that JSON does not have.
        ("spec:\n", "spec:\n  1: a\n"),
        ("spec:\n", "spec:\n  yes: a\n"),
        ("spec:\n", "spec:\n  [a]: a\n"),
        # Tags, which change the type of a value.
        ("licenseSequence: 7", 'licenseSequence: !!int "7"'),
        ("licenseSequence: 7", 'licenseSequence: !!int ""'),
        ("licenseSequence: 7", "licenseSequence: !!float maybe"),
        ("licenseSequence: 7", "licenseSequence: !!bool maybe"),
        ("licenseSequence: 7", "licenseSequence: !!timestamp x"),
        ("licenseSequence: 7", "licenseSequence: !!binary x"),
        ("licenseSequence: 7", "licenseSequence: !!omap {a: b}"),
        ("licenseSequence: 7", "licenseSequence: !own 7"),
        ("licenseSequence: 7", "licenseSequence: ! 7"),
        ('appSlug: "my-app"', "appSlug: !!str my-app"),
        ("spec:\n", "spec: !!map\n"),
        # Numbers that are too large.
        ("licenseSequence: 7", "licenseSequence: 0x_"),
        ("licenseSequence: 7", "licenseSequence: " + "9" * 5000),
        ("licenseSequence: 7", "licenseSequence: 1" + ":59" * 500 + ".5"),
    ],
)
def test_what_readers_take_differently_is_refused(old: str, new: str) -> None:
    text = license_yaml(Signer().signed(document()))
    assert parse_license(text.encode(), "license.yaml").sequence == 7
    assert old in text

    with pytest.raises(
        LicenseError, match=r"^license\.yaml is not .* Line \d+:"
    ) as caught:
        parse_license(text.replace(old, new, 1).encode(), "license.yaml")

    assert caught.value.code == "not_yaml"
