"""A license's file, signed when it is read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from licenses.files.application_keys import (
    private_key_of,
    root_signature_of,
    signing_key_of,
)
from licenses.files.license_document import license_document
from licenses.files.signature import signed_document
from licenses.models import License, LicenseSigningKey
from licenses.selectors import effective_field_values
from oci.portable_yaml import to_portable_yaml
from portal.crypto.secrets import Secret


@dataclass(frozen=True, slots=True, repr=False)
class SignedFile:
    """The contents of a license file, and the key that signs them."""

    name: str
    document: dict[str, Any]
    signing_key: LicenseSigningKey

    @property
    def tag(self) -> str:
        """Return a value that changes with the file, its signatures' salt aside."""
        sequence = self.document["spec"]["licenseSequence"]
        content = json.dumps(
            [self.document, self.signing_key.public_key, self.signing_key.root_id]
        )
        return f"{sequence}-{hashlib.sha256(content.encode()).hexdigest()[:32]}"

    def text(self) -> str:
        """Return the signed YAML. It contains the license ID, a secret."""
        signed = signed_document(
            self.document,
            private_key_of(self.signing_key),
            root_signature_of(self.signing_key),
        )
        return to_portable_yaml(signed)


def license_file(license: License, secret: Secret | None = None) -> SignedFile:
    """Return the file of a license.

    ``secret`` takes the place of the license ID: whoever holds a pull credential must
    not learn the ID, which would outlive it.

    Raises:
        Conflict: the installation has no key to sign it.
    """
    return SignedFile(
        name=f"license-{license.application.slug}.yaml",
        document=license_document(
            license,
            secret or Secret(license.license_id.reveal()),
            effective_field_values(license),
        ),
        signing_key=signing_key_of(license.application),
    )
