"""All URLs of the REST API."""

from __future__ import annotations

from django.urls import path, re_path

from alerts.api import views as alerts
from customers.api import license as held
from customers.api import listed_images, look, mails
from customers.api import views as contacts
from export.api import TeamExportView
from images.api import views as images
from licenses.api import (
    applications,
    bulk,
    customers,
    license_fields,
    licenses,
    pull_credentials,
    trusted_identities,
)
from portal.http.api.views import UnknownAddressView
from portal.reference import views as reference
from registries.api import authorize, license_views, pulls
from registries.api import views as registries
from registries.api.providers import ProvidersView
from teams.api import invitations
from teams.api import views as teams

urlpatterns = [
    path("schema", reference.schema, name="schema"),
    path("docs", reference.docs, name="docs"),
    path("docs/<slug:section>", reference.docs, name="docs-section"),
    path("team", teams.TeamDetailView.as_view()),
    path("team/export", TeamExportView.as_view()),
    path("team/look", look.LookView.as_view()),
    path("team/contact-mail", mails.MailChoiceView.as_view()),
    path("members", teams.MembersView.as_view()),
    path("members/<uuid:member_id>", teams.MemberView.as_view()),
    path("invitations", invitations.InvitationsView.as_view()),
    path("invitations/<uuid:invitation_id>", invitations.InvitationView.as_view()),
    path(
        "invitations/<uuid:invitation_id>/renew",
        invitations.InvitationRenewView.as_view(),
    ),
    path("service-accounts", teams.ServiceAccountsView.as_view()),
    path(
        "service-accounts/<uuid:service_account_id>", teams.ServiceAccountView.as_view()
    ),
    path("api-tokens", teams.ApiTokensView.as_view()),
    path("api-tokens/<uuid:api_token_id>", teams.ApiTokenView.as_view()),
    path("api-tokens/<uuid:api_token_id>/revoke", teams.ApiTokenRevokeView.as_view()),
    path("audit-events", teams.AuditEventsView.as_view()),
    path("alerts", alerts.AlertsView.as_view()),
    path("alerts/<uuid:alert_id>/acknowledge", alerts.AlertAcknowledgeView.as_view()),
    path("webhooks", alerts.WebhooksView.as_view()),
    path("webhooks/<uuid:webhook_id>", alerts.WebhookView.as_view()),
    path("webhooks/<uuid:webhook_id>/secret", alerts.WebhookSecretView.as_view()),
    path("webhooks/<uuid:webhook_id>/enable", alerts.WebhookEnableView.as_view()),
    path("webhooks/<uuid:webhook_id>/disable", alerts.WebhookDisableView.as_view()),
    path("webhooks/<uuid:webhook_id>/test", alerts.WebhookTestView.as_view()),
    path(
        "webhooks/<uuid:webhook_id>/deliveries", alerts.WebhookDeliveriesView.as_view()
    ),
    path(
        "webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/retry",
        alerts.WebhookDeliveryRetryView.as_view(),
    ),
    path("applications", applications.ApplicationsView.as_view()),
    path("applications/<str:application>", applications.ApplicationView.as_view()),
    path(
        "applications/<str:application>/restore",
        applications.ApplicationRestoreView.as_view(),
    ),
    path(
        "applications/<str:application>/channels", applications.ChannelsView.as_view()
    ),
    path(
        "applications/<str:application>/channels/<str:channel>",
        applications.ChannelView.as_view(),
    ),
    path(
        "applications/<str:application>/license-fields",
        license_fields.LicenseFieldsView.as_view(),
    ),
    path(
        "applications/<str:application>/license-fields/<str:field>",
        license_fields.LicenseFieldView.as_view(),
    ),
    path(
        "applications/<str:application>/listed-images",
        listed_images.ListedImagesView.as_view(),
    ),
    path("applications/<str:application>/images", images.ImagesView.as_view()),
    path(
        "applications/<str:application>/images/<uuid:image_id>",
        images.ImageView.as_view(),
    ),
    path(
        "applications/<str:application>/images/<uuid:image_id>/tags",
        images.ImageTagsView.as_view(),
    ),
    path(
        "applications/<str:application>/images/<uuid:image_id>/tags/<uuid:tag_id>",
        images.ImageTagView.as_view(),
    ),
    path(
        "applications/<str:application>/images/<uuid:image_id>/manifests",
        images.ImageManifestsView.as_view(),
    ),
    path(
        "applications/<str:application>/images/<uuid:image_id>/manifests/"
        "<uuid:manifest_id>",
        images.ImageManifestView.as_view(),
    ),
    path("customers", customers.CustomersView.as_view()),
    path("customers/<str:customer_id>", customers.CustomerView.as_view()),
    path(
        "customers/<str:customer_id>/archive", customers.CustomerArchiveView.as_view()
    ),
    path(
        "customers/<str:customer_id>/restore", customers.CustomerRestoreView.as_view()
    ),
    path("customers/<str:customer_id>/contacts", contacts.ContactsView.as_view()),
    path(
        "customers/<str:customer_id>/contacts/<uuid:contact_id>",
        contacts.ContactView.as_view(),
    ),
    path("customers/<str:customer_id>/links", contacts.CustomerLinksView.as_view()),
    path(
        "customers/<str:customer_id>/links/<uuid:link_id>",
        contacts.CustomerLinkView.as_view(),
    ),
    path(
        "customers/<str:customer_id>/links/<uuid:link_id>/withdraw",
        contacts.CustomerLinkWithdrawView.as_view(),
    ),
    path("licenses", licenses.LicensesView.as_view()),
    path("licenses/search", licenses.LicenseSearchView.as_view()),
    path("licenses/bulk/issue", bulk.BulkIssueView.as_view()),
    path("licenses/bulk/change", bulk.BulkChangeView.as_view()),
    path("licenses/bulk/revoke", bulk.BulkRevokeView.as_view()),
    path("licenses/<uuid:license_id>", licenses.LicenseView.as_view()),
    path("licenses/<uuid:license_id>/restore", licenses.LicenseRestoreView.as_view()),
    path("licenses/<uuid:license_id>/revoke", licenses.LicenseRevokeView.as_view()),
    path(
        "licenses/<uuid:license_id>/reinstate", licenses.LicenseReinstateView.as_view()
    ),
    path("licenses/<uuid:license_id>/file", licenses.LicenseFileView.as_view()),
    path(
        "licenses/<uuid:license_id>/replace-id",
        pull_credentials.LicenseReplaceIdView.as_view(),
    ),
    path(
        "licenses/<uuid:license_id>/pull-credentials",
        pull_credentials.PullCredentialsView.as_view(),
    ),
    path(
        "licenses/<uuid:license_id>/pull-credentials/<uuid:credential_id>",
        pull_credentials.PullCredentialView.as_view(),
    ),
    path(
        "licenses/<uuid:license_id>/pull-credentials/<uuid:credential_id>/rotate",
        pull_credentials.PullCredentialRotateView.as_view(),
    ),
    path(
        "licenses/<uuid:license_id>/pull-credentials/<uuid:credential_id>/revoke",
        pull_credentials.PullCredentialRevokeView.as_view(),
    ),
    path("leaked-credential", pull_credentials.LeakedCredentialView.as_view()),
    path("licenses/<uuid:license_id>/pulls", pulls.LicensePullsView.as_view()),
    path("licenses/<uuid:license_id>/traffic-days", pulls.LicenseTrafficView.as_view()),
    path("license", license_views.HeldLicenseView.as_view()),
    path("license/file", license_views.HeldLicenseFileView.as_view()),
    path("license/pull-secret", license_views.PullSecretView.as_view()),
    path(
        "licenses/<uuid:license_id>/trusted-identities",
        trusted_identities.TrustedIdentitiesView.as_view(),
    ),
    path(
        "licenses/<uuid:license_id>/trusted-identities/test",
        trusted_identities.TrustedIdentityTestView.as_view(),
    ),
    path(
        "licenses/<uuid:license_id>/trusted-identities/<uuid:identity_id>",
        trusted_identities.TrustedIdentityView.as_view(),
    ),
    path(
        "licenses/<uuid:license_id>/trusted-identities/<uuid:identity_id>/remove",
        trusted_identities.TrustedIdentityRemoveView.as_view(),
    ),
    path("license/pull-credentials", license_views.HeldPullCredentialsView.as_view()),
    path(
        "license/pull-credential/rotate",
        license_views.HeldPullCredentialRotateView.as_view(),
    ),
    path("license/images", held.HeldImagesView.as_view()),
    path("license/check", held.CheckImageView.as_view()),
    path("license/pulls", held.HeldPullsView.as_view()),
    path("license/registries", license_views.HeldRegistriesView.as_view()),
    path("license/resolve-images", license_views.ResolveImagesView.as_view()),
    path("registries", registries.RegistriesView.as_view()),
    path("registries/providers", ProvidersView.as_view()),
    path("registries/test", registries.NewRegistryTestView.as_view()),
    path("registries/<str:registry>", registries.RegistryDetailView.as_view()),
    path(
        "registries/<str:registry>/credential",
        registries.RegistryCredentialView.as_view(),
    ),
    path("registries/<str:registry>/test", registries.RegistryTestView.as_view()),
    path(
        "registries/<str:registry>/duplicate",
        registries.RegistryDuplicateView.as_view(),
    ),
    path("registries/<str:registry>/checks", registries.RegistryChecksView.as_view()),
    path("registries/<str:registry>/pulls", pulls.RegistryPullsView.as_view()),
    path("pulls", pulls.PullsView.as_view()),
    path("authorize", authorize.AuthorizeView.as_view()),
    # Last, so that an unknown URL gets an error in the API's form.
    re_path(r"", UnknownAddressView.as_view(), name="unknown-address"),
]
