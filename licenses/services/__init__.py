"""Writes, each in a transaction with its audit event."""

from __future__ import annotations

from licenses.services.applications import (
    change_application,
    change_channel,
    change_slug,
    create_application,
    create_channel,
    delete_channel,
)
from licenses.services.credential_use import is_use_noted, touch_pull_credential
from licenses.services.credentials import (
    change_pull_credential,
    create_pull_credential,
    revoke_pull_credential,
    rotate_pull_credential,
)
from licenses.services.customers import (
    archive_customer,
    change_customer,
    create_customer,
    require_unarchived,
    restore_customer,
)
from licenses.services.leaks import revoke_leaked
from licenses.services.license_fields import (
    change_license_field,
    create_license_field,
    delete_license_field,
)
from licenses.services.license_ids import (
    rehash_license_ids,
    replace_license_id,
    reveal_license_id,
)
from licenses.services.licenses import (
    change_license,
    download_license_file,
    issue_license,
    reinstate_license,
    revoke_license,
)
from licenses.services.removal import (
    delete_application,
    delete_customer,
    delete_license,
    restore_application,
    restore_license,
)

__all__ = [
    "archive_customer",
    "change_application",
    "change_channel",
    "change_customer",
    "change_license",
    "change_license_field",
    "change_pull_credential",
    "change_slug",
    "create_application",
    "create_channel",
    "create_customer",
    "create_license_field",
    "create_pull_credential",
    "delete_application",
    "delete_channel",
    "delete_customer",
    "delete_license",
    "delete_license_field",
    "download_license_file",
    "is_use_noted",
    "issue_license",
    "rehash_license_ids",
    "reinstate_license",
    "replace_license_id",
    "require_unarchived",
    "restore_application",
    "restore_customer",
    "restore_license",
    "reveal_license_id",
    "revoke_leaked",
    "revoke_license",
    "revoke_pull_credential",
    "rotate_pull_credential",
    "touch_pull_credential",
]
