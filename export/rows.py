"""What an export holds: of each kind of row, the columns that are no secret.

A column or a model is exported only if it is named here. Tests fail if one is neither
named nor left out on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from alerts.models import Alert, Delivery, Subscription, Webhook
from audit.models import AuditEvent
from customers.models import (
    Contact,
    CustomerLink,
    ListedImage,
    MailChoice,
    Unsubscription,
    VendorLook,
)
from images.models import ImageBlob, ImageManifest, ImageRepository, ImageTag
from licenses.models import (
    Application,
    Channel,
    Customer,
    IdentityWorkload,
    License,
    LicenseField,
    LicenseSigningKey,
    Notice,
    PullCredential,
    PullCredentialNetwork,
    RetiredSlug,
    TrustedIdentity,
)
from portal.http.keyset import Sort
from registries.models import (
    CacheUse,
    Credential,
    CredentialCheck,
    ExternalRegistry,
    LicenseTraffic,
    PullEvent,
    RegistryShare,
)
from teams.models import ApiToken, Invitation, Membership, ServiceAccount

OLDEST_FIRST = Sort("created_at", is_descending=False)


@dataclass(frozen=True, slots=True)
class Exported:
    """A kind of row, which lines name in ``type``, and its columns.

    A column with another name, or of another table, is written as ``name=path``. Rows
    are read in an order in which they do not move; where no index has one, those of a
    few parents at a time.
    """

    kind: str
    model: type[Model]
    columns: tuple[str, ...]
    sort: Sort = OLDEST_FIRST
    parent: str = ""

    @property
    def paths(self) -> dict[str, str]:
        """Return where the value of each name is found."""
        pairs = (column.partition("=") for column in self.columns)
        return {name: path or name for name, _, path in pairs}


def _rows(kind: str, model: Any, columns: str, **options: Any) -> Exported:
    names = ("id", *columns.split(), "created_at")
    return Exported(kind, model, names, **options)


TEAM_COLUMNS = (
    *("id", "name", "slug", "time_zone", "require_second_factor"),
    *("customers_make_credentials", "created_at", "updated_at"),
)
# Those that others refer to come before them.
EXPORTED = (
    _rows(
        "member",
        Membership,
        "user_id email=user.email name=user.name role updated_at",
    ),
    _rows(
        "invitation",
        Invitation,
        "email role invited_by_id sent_with_id expires_at accepted_at updated_at",
    ),
    _rows("service_account", ServiceAccount, "name role created_by_id updated_at"),
    _rows(
        "api_token",
        ApiToken,
        "kind name user_id service_account_id role read_only key created_by_id "
        "created_with_id expires_at revoked_at last_used_at",
    ),
    _rows(
        "look",
        VendorLook,
        "display_name accent support_email support_url reply_to logo logo_type "
        "logo_digest updated_at",
    ),
    _rows("mail_choice", MailChoice, "kinds updated_at"),
    _rows("application", Application, "name slug archived_at updated_at"),
    _rows("retired_slug", RetiredSlug, "slug"),
    _rows("channel", Channel, "application_id name slug is_default updated_at"),
    _rows(
        "license_field",
        LicenseField,
        "application_id name title field_type=type default required hidden options "
        "updated_at",
    ),
    _rows(
        "license_signing_key",
        LicenseSigningKey,
        "application_id public_key root_id root_signature",
    ),
    _rows("listed_image", ListedImage, "application_id position name description"),
    _rows(
        "registry",
        ExternalRegistry,
        "provider endpoint slug trusted_realm shared_with_all repository_patterns "
        "test_image health health_since health_checked_at updated_at",
    ),
    _rows("registry_share", RegistryShare, "registry_id application_id"),
    _rows(
        "registry_credential",
        Credential,
        "registry_id auth_type active created_by_id",
    ),
    _rows(
        "registry_check",
        CredentialCheck,
        "registry_id credential_id outcome http_status latency_ms detail",
    ),
    _rows("image_repository", ImageRepository, "application_id name"),
    _rows(
        "image_manifest",
        ImageManifest,
        "repository_id digest media_type size platforms children pushed_at pushed_by "
        "last_pulled_at confirmed_at",
    ),
    _rows(
        "image_tag",
        ImageTag,
        "repository_id name manifest_id pushed_at pushed_by last_pulled_at "
        "confirmed_at",
    ),
    _rows("image_blob", ImageBlob, "repository_id manifest_id digest size"),
    _rows("customer", Customer, "name email custom_id archived_at updated_at"),
    _rows(
        "contact",
        Contact,
        "customer_id email name role invited_by last_seen_at updated_at",
    ),
    _rows("unsubscription", Unsubscription, "contact_id kind"),
    _rows(
        "license",
        License,
        "customer_id application_id channel_id license_type=type expires_at "
        "archived_at revoked_at revoked_by_id revoke_reason sequence field_values "
        "id_version previous_license_id_ends_at updated_at",
    ),
    _rows(
        "customer_link",
        CustomerLink,
        "contact_id license_id message sent_by expires_at opened_at used_at "
        "withdrawn_at",
    ),
    _rows(
        "pull_credential",
        PullCredential,
        "license_id name key expires_at networks created_by_id created_by_kind "
        "created_by_label created_with_id replaced_by_id revoked_at revoked_by_id "
        "revoked_by_kind revoked_by_label was_leaked last_used_at last_used_address "
        "last_used_client updated_at",
    ),
    _rows(
        "pull_credential_network",
        PullCredentialNetwork,
        "credential_id network last_used_at",
    ),
    _rows(
        "trusted_identity",
        TrustedIdentity,
        "license_id label kind issuer audience rules key_set kids created_by_id "
        "created_by_kind created_by_label removed_at removed_by_id removed_by_kind "
        "removed_by_label updated_at",
    ),
    _rows(
        "identity_workload",
        IdentityWorkload,
        "identity_id number name last_used_at last_used_address last_used_client "
        "last_used_node",
    ),
    _rows("notice", Notice, "license_id kind data dispatched_at"),
    _rows(
        "pull",
        PullEvent,
        "hour application_slug license_id holder credential_id credential_name "
        "registry_id registry_slug repository reference outcome count stale last_at",
        sort=Sort("hour", is_descending=False),
    ),
    _rows("license_traffic", LicenseTraffic, "license_id day bytes", parent="license"),
    _rows(
        "cache_use",
        CacheUse,
        "registry_id day hits misses bytes evictions stale_pulls",
    ),
    _rows(
        "webhook",
        Webhook,
        "name url events created_by_id failures disabled_at disabled_reason "
        "previous_secret_until updated_at",
    ),
    _rows("subscription", Subscription, "membership_id events"),
    _rows(
        "alert",
        Alert,
        "event subject_id subject_label message data is_for_programs dispatched_at "
        "acknowledged_at acknowledged_by",
    ),
    _rows(
        "delivery",
        Delivery,
        "alert_id webhook_id user_id state attempts finished_at http_status detail",
    ),
    _rows(
        "audit_event",
        AuditEvent,
        "tag actor_kind actor_id actor_label subject_kind subject_id subject_label "
        "data address request_id",
    ),
)
