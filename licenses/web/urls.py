from __future__ import annotations

from django.urls import URLPattern, path

from licenses.web import (
    applications,
    bulk,
    channels,
    credentials,
    customers,
    fields,
    issue,
    license_changes,
    licenses,
)
from licenses.web.identities import pages as identities
from licenses.web.imports import customers as imported_customers
from licenses.web.imports import licenses as imported_licenses

urlpatterns: list[URLPattern] = [
    path("licenses", licenses.licenses, name="licenses"),
    path("licenses.csv", licenses.export_licenses, name="licenses-export"),
    path("licenses/renew", bulk.renew, name="licenses-bulk-renew"),
    path("licenses/channel", bulk.change_channel, name="licenses-bulk-channel"),
    path("licenses/revoke", bulk.revoke, name="licenses-bulk-revoke"),
    path(
        "licenses/results/<uuid:submission>", bulk.result, name="licenses-bulk-result"
    ),
    path("licenses/import", imported_licenses.import_licenses, name="licenses-import"),
    path(
        "licenses/import.csv",
        imported_licenses.licenses_template,
        name="licenses-import-template",
    ),
    path("licenses/new", issue.issue, name="licenses-add"),
    path("licenses/<uuid:license_id>", licenses.license_detail, name="licenses-detail"),
    path(
        "licenses/<uuid:license_id>/license-id",
        licenses.reveal,
        name="licenses-reveal",
    ),
    path("licenses/<uuid:license_id>/file", licenses.download, name="licenses-file"),
    path(
        "licenses/<uuid:license_id>/edit",
        license_changes.edit_license,
        name="licenses-edit",
    ),
    path(
        "licenses/<uuid:license_id>/revoke",
        license_changes.revoke,
        name="licenses-revoke",
    ),
    path(
        "licenses/<uuid:license_id>/reinstate",
        license_changes.reinstate,
        name="licenses-reinstate",
    ),
    path(
        "licenses/<uuid:license_id>/delete",
        license_changes.delete,
        name="licenses-delete",
    ),
    path(
        "licenses/<uuid:license_id>/restore",
        license_changes.restore,
        name="licenses-restore",
    ),
    path(
        "licenses/<uuid:license_id>/replace-id",
        credentials.replace_id,
        name="licenses-replace-id",
    ),
    path(
        "licenses/<uuid:license_id>/pull-credentials/new",
        credentials.add_credential,
        name="licenses-credentials-add",
    ),
    path(
        "licenses/<uuid:license_id>/pull-credentials/<uuid:credential_id>/edit",
        credentials.edit_credential,
        name="licenses-credentials-edit",
    ),
    path(
        "licenses/<uuid:license_id>/pull-credentials/<uuid:credential_id>/rotate",
        credentials.rotate_credential,
        name="licenses-credentials-rotate",
    ),
    path(
        "licenses/<uuid:license_id>/pull-credentials/<uuid:credential_id>/revoke",
        credentials.revoke_credential,
        name="licenses-credentials-revoke",
    ),
    path(
        "licenses/<uuid:license_id>/trusted-identities/new/<str:kind>",
        identities.add_identity,
        name="licenses-identities-add",
    ),
    path(
        "licenses/<uuid:license_id>/trusted-identities/test",
        identities.test_identities,
        name="licenses-identities-test",
    ),
    path(
        "licenses/<uuid:license_id>/trusted-identities/<uuid:identity_id>/edit",
        identities.edit_identity,
        name="licenses-identities-edit",
    ),
    path(
        "licenses/<uuid:license_id>/trusted-identities/<uuid:identity_id>/remove",
        identities.remove_identity,
        name="licenses-identities-remove",
    ),
    path("customers", customers.customers, name="customers"),
    path("customers.csv", customers.export_customers, name="customers-export"),
    path("customers/archive", bulk.archive, name="customers-bulk-archive"),
    path(
        "customers/import", imported_customers.import_customers, name="customers-import"
    ),
    path(
        "customers/import.csv",
        imported_customers.customers_template,
        name="customers-import-template",
    ),
    path("customers/new", customers.add_customer, name="customers-add"),
    path(
        "customers/<uuid:customer_id>/edit",
        customers.edit_customer,
        name="customers-edit",
    ),
    path(
        "customers/<uuid:customer_id>/archive",
        customers.archive,
        name="customers-archive",
    ),
    path(
        "customers/<uuid:customer_id>/restore",
        customers.restore,
        name="customers-restore",
    ),
    path(
        "customers/<uuid:customer_id>/delete",
        customers.delete,
        name="customers-delete",
    ),
    path("applications", applications.applications, name="applications"),
    path(
        "applications.csv", applications.export_applications, name="applications-export"
    ),
    # Beside the list and not below it, where an application could have this slug.
    path("new-application", applications.add_application, name="applications-add"),
    path(
        "applications/<str:application_slug>",
        applications.application_detail,
        name="applications-detail",
    ),
    path(
        "applications/<str:application_slug>/edit",
        applications.edit_application,
        name="applications-edit",
    ),
    path(
        "applications/<str:application_slug>/slug",
        applications.change_application_slug,
        name="applications-slug",
    ),
    path(
        "applications/<str:application_slug>/delete",
        applications.remove_application,
        name="applications-delete",
    ),
    path(
        "applications/<str:application_slug>/restore",
        applications.restore,
        name="applications-restore",
    ),
    path(
        "applications/<str:application_slug>/channels/new",
        channels.add_channel,
        name="applications-channels-add",
    ),
    path(
        "applications/<str:application_slug>/channels/<uuid:channel_id>/delete",
        channels.remove_channel,
        name="applications-channels-delete",
    ),
    path(
        "applications/<str:application_slug>/channels/<uuid:channel_id>/edit",
        channels.edit_channel,
        name="applications-channels-edit",
    ),
    path(
        "applications/<str:application_slug>/fields/new",
        fields.add_field,
        name="applications-fields-add",
    ),
    path(
        "applications/<str:application_slug>/fields/<uuid:field_id>/edit",
        fields.edit_field,
        name="applications-fields-edit",
    ),
    path(
        "applications/<str:application_slug>/fields/<uuid:field_id>/delete",
        fields.remove_field,
        name="applications-fields-delete",
    ),
]
