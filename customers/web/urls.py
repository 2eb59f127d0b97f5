"""Addresses of the customer's pages, and of the vendor's about customers."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from customers.web import (
    contacts,
    customer,
    entrance,
    look,
    mails,
    overview,
    people,
    send,
)
from customers.web.base import OWN, VIEWED
from customers.web.pulling import (
    check,
    credentials,
    identities,
    install,
    installer,
    license_file,
    listed_images,
    pulls,
    vendor_names,
)

# For contacts, and for members who view them as the customer does.
_shown: list[URLPattern | URLResolver] = [
    path("", overview.overview, name="overview"),
    path("install", install.install, name="install"),
    path("credentials", credentials.credentials, name="credentials"),
    path("check", check.check, name="check"),
    path("pulls", pulls.pulls, name="pulls"),
    path("pulls/csv", pulls.export, name="pulls-csv"),
    path("license-file", license_file.license_file, name="license-file"),
    path("people", people.people, name="people"),
    path("mails", mails.own_mails, name="mails"),
]
# What changes something is for contacts alone.
_changing: list[URLPattern | URLResolver] = [
    path("credentials/new", credentials.add_credential, name="credentials-add"),
    path(
        "credentials/<uuid:credential_id>/edit",
        credentials.edit_credential,
        name="credentials-edit",
    ),
    path(
        "credentials/<uuid:credential_id>/rotate",
        credentials.rotate_credential,
        name="credentials-rotate",
    ),
    path(
        "credentials/<uuid:credential_id>/revoke",
        credentials.revoke_credential,
        name="credentials-revoke",
    ),
    path(
        "credentials/trusted-identities/<uuid:license_id>/new/<str:kind>",
        identities.add_identity,
        name="identities-add",
    ),
    path(
        "credentials/trusted-identities/<uuid:license_id>/test",
        identities.test_identities,
        name="identities-test",
    ),
    path(
        "credentials/trusted-identities/<uuid:identity_id>/edit",
        identities.edit_identity,
        name="identities-edit",
    ),
    path(
        "credentials/trusted-identities/<uuid:identity_id>/remove",
        identities.remove_identity,
        name="identities-remove",
    ),
    path(
        "license-file/<uuid:license_id>/download",
        license_file.download,
        name="license-file-download",
    ),
    path("people/invite", people.invite, name="people-invite"),
    path("people/<uuid:contact_id>/edit", people.edit_person, name="people-edit"),
    path("people/<uuid:contact_id>/send", people.send_again, name="people-send"),
    path("people/<uuid:contact_id>/remove", people.remove_person, name="people-remove"),
]

_of_customer: list[URLPattern | URLResolver] = [
    path("send", send.send, name="customers-send"),
    path("contacts", contacts.contacts, name="customers-contacts"),
    path("contacts/new", contacts.add, name="customers-contacts-add"),
    path(
        "contacts/<uuid:contact_id>/edit", contacts.edit, name="customers-contacts-edit"
    ),
    path(
        "contacts/<uuid:contact_id>/remove",
        contacts.remove,
        name="customers-contacts-remove",
    ),
    path(
        "links/<uuid:link_id>/withdraw",
        contacts.withdraw,
        name="customers-links-withdraw",
    ),
    path("view/", include((_shown, VIEWED))),
]

team_urlpatterns: list[URLPattern | URLResolver] = [
    path("image-names", vendor_names.pull_names_page, name="image-names"),
    path("settings/customers", look.look, name="customer-look"),
    path("settings/customers/mails", mails.mails, name="customer-mails"),
    path("settings/customers/logo", look.upload_logo, name="customer-look-logo"),
    path(
        "settings/customers/logo/remove",
        look.remove_logo,
        name="customer-look-logo-remove",
    ),
    path(
        "customers/<uuid:customer_id>",
        customer.customer_detail,
        name="customers-detail",
    ),
    path("customers/<uuid:customer_id>/", include(_of_customer)),
    path(
        "applications/<str:application_slug>/listed-images",
        listed_images.edit_listed_images,
        name="applications-listed-images",
    ),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", entrance.home, name="contact-home"),
    path("links/<str:link_secret>", entrance.link, name="contact-link"),
    path("unsubscribe/<str:token>", mails.unsubscribe_page, name="contact-unsubscribe"),
    path(
        "installer/<str:wheel_key>/<str:wheel_name>",
        installer.download,
        name="installer-wheel",
    ),
    path("logos/<str:digest>", look.logo, name="vendor-logo"),
    path("colors/<str:color>.css", look.accent_style, name="vendor-accent"),
    path("<uuid:customer_id>/", include(([*_shown, *_changing], OWN))),
]
