"""Every page of the portal: what tests look at, and what screenshots are taken of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlencode

from django.urls import URLPattern, URLResolver, get_resolver, reverse


class Visitor(StrEnum):
    """Who looks at a page."""

    OWNER = "owner"
    VIEWER = "viewer"  # may change nothing
    NEWCOMER = "newcomer"  # owns a team with nothing in it
    GUARDED = "guarded"  # has an authenticator app
    KEYED = "keyed"  # has a passkey and a security key
    LONER = "loner"  # is in no team
    CONTACT = "contact"  # an administrator of a customer
    NOBODY = "nobody"  # has not signed in


@dataclass(frozen=True, slots=True)
class PortalPage:
    """A page in one state: ``route`` is its name in the URLconf."""

    route: str
    visitor: Visitor = Visitor.OWNER
    state: str = ""
    # In place of those in the example data.
    values: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    # Values to submit in the page's form, if any.
    sends: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """Return a name that no other page of the list has."""
        seen_by = "" if self.visitor is Visitor.OWNER else self.visitor.value
        route = self.route.replace(":", "-")
        return "-".join(filter(None, (route, self.state, seen_by)))

    @property
    def status(self) -> int:
        """Return the status that the page is answered with."""
        return STATUSES.get(self.name, 200)

    @property
    def is_of_team(self) -> bool:
        return "team" in PARAMETERS[self.route]

    @property
    def names_an_object(self) -> bool:
        """Return whether the address holds more than the team."""
        return len(PARAMETERS[self.route]) > 1

    def address(self, ids: Mapping[str, str]) -> str:
        """Return the path: ``ids`` are the example data's values for addresses.

        A value of the form ``{name}`` in the query is taken from there, too.
        """
        chosen = {**ids, **{k: v.format(**ids) for k, v in self.values.items()}}
        path = address_of(self.route, chosen)
        query = {name: text.format(**ids) for name, text in self.query.items()}
        return f"{path}?{urlencode(query)}" if query else path


def address_of(route: str, ids: Mapping[str, str]) -> str:
    """Return the path of a named page, with as many of the values as it takes."""
    taken = PARAMETERS.get(route, frozenset())
    return reverse(route, kwargs={name: ids[name] for name in taken})


def _parameters(
    resolver: URLResolver, outer: frozenset[str] = frozenset(), prefix: str = ""
) -> Iterator[tuple[str, frozenset[str]]]:
    for entry in resolver.url_patterns:
        pattern = entry.pattern
        names = outer | set(pattern.converters) | set(pattern.regex.groupindex)
        if isinstance(entry, URLPattern):
            if entry.name:
                yield f"{prefix}{entry.name}", names
        elif entry.app_name != "admin":
            inner = f"{entry.namespace}:" if entry.namespace else ""
            yield from _parameters(entry, names, f"{prefix}{inner}")


# The names of pages, with those of the values in their addresses.
PARAMETERS: Mapping[str, frozenset[str]] = dict(_parameters(get_resolver()))


# Pages that say what is not possible.
STATUSES = {
    "contact-link-invalid-nobody": 404,
    "team-settings-viewer": 403,
    "socialaccount_login_error-nobody": 401,
    "customers-detail-missing": 404,
    "customer-credentials-edit-missing-contact": 404,
    "help-missing-nobody": 404,
    "theme-opened": 405,
}

_REVOKED = {"license_id": "{revoked_license_id}"}
_NOTHING_FOUND = {"search": "nothing-is-called-this"}
_IMAGE = {"image": "quay.io/kestrel/api:v4.0.0"}
_REFUSED_PULL = {"license": "{revoked_license_id}", **_IMAGE}
_GOOD_PULL = {"license": "{license_id}", **_IMAGE}
_NO_CUSTOMER = {"customer_id": "{license_id}"}
_NO_CREDENTIAL = {"credential_id": "{license_id}"}
# It expired long ago.
_TOKEN = {
    "token": "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ."
    "eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSIsImlhdCI6MSwiZXhwIjoyfQ.eA"
}
_ROTATED = {"credential_id": "{rotated_credential_id}"}
_CHECKED = {"holder": "pull-credential:{credential_id}", **_IMAGE}
_CHECKED_ELSEWHERE = {**_CHECKED, "image": "gcr.io/example/api:v1"}

_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: kestrel-server
spec:
  template:
    spec:
      containers:
        - name: api
          image: quay.io/kestrel/api:v4.0.0
        - name: insights
          image: ghcr.io/kestrel-software/insights-web:v2.1.0
        - name: cache
          image: redis:7.4
"""
_CUSTOMERS_TEXT = """\
name,email,custom_id
Halvorsen Shipping AS,it@halvorsen.example,CRM-2001
Müller & Söhne GmbH,admin@mueller.example,CRM-2002
A customer with another name,ops@example.com,CRM-1000
"""
_LICENSES_TEXT = """\
customer,email,custom_id,application,channel,type,expires,field:seats
Halvorsen Shipping AS,,CRM-2001,kestrel-server,stable,paid,2031-12-31,250
,,CRM-1007,kestrel-edge,nightly,gold,yesterday,
"""
_UNREACHABLE = {"endpoint": "localhost:1", "username": "kestrel", "secret": "wrong"}

# Before the first account exists; afterwards it only redirects.
SET_UP = PortalPage("set-up", Visitor.NOBODY)

# Pages in the state in which a visitor first sees them.
_ROUTES = {
    Visitor.OWNER: """
        dashboard search pulls why manifest audit team-settings team-export
        registries-add registries-detail registries-edit registries-credential
        registries-duplicate registries-delete private-registry
        images image-names images-detail images-delete images-tag images-tag-delete
        images-untagged-delete
        applications applications-add applications-detail applications-edit
        applications-delete applications-slug applications-listed-images
        applications-channels-add applications-channels-edit
        applications-channels-delete
        applications-fields-add applications-fields-edit applications-fields-delete
        customers customers-add customers-detail customers-edit customers-archive
        customers-delete
        customers-contacts customers-contacts-add customers-contacts-edit
        customers-contacts-remove customers-links-withdraw customers-send
        customer-view:overview customer-view:install customer-view:credentials
        customer-view:check customer-view:pulls customer-view:license-file
        customer-view:people customer-view:mails
        customer-look customer-mails customer-look-logo-remove
        licenses-bulk-result customers-import licenses-import
        licenses licenses-add licenses-detail licenses-edit licenses-revoke
        licenses-replace-id licenses-credentials-add licenses-credentials-edit
        licenses-credentials-rotate licenses-credentials-revoke
        licenses-identities-add licenses-identities-edit licenses-identities-remove
        licenses-identities-test
        members members-invite members-leave members-role members-remove
        members-invitation-renew members-invitation-withdraw
        service-accounts service-accounts-add service-accounts-edit
        service-accounts-delete
        api-tokens api-tokens-add api-tokens-revoke
        alerts alerts-mail alerts-mail-member alerts-webhooks alerts-webhook-add
        alerts-webhook-detail alerts-webhook-edit alerts-webhook-secret
        alerts-webhook-disable alerts-webhook-delete
        account_set_password socialaccount_connections
    """,
    Visitor.NEWCOMER: """
        dashboard images private-registry applications customers licenses pulls
        why manifest members service-accounts api-tokens audit
    """,
    Visitor.VIEWER: """
        dashboard images registries-detail images-detail images-tag
        applications-detail customers-detail licenses-detail members team-settings
    """,
    Visitor.GUARDED: """
        account_email account_change_password account_logout account_reauthenticate
        mfa_index mfa_reauthenticate mfa_deactivate_totp mfa_view_recovery_codes
        mfa_generate_recovery_codes mfa_add_webauthn
        sessions sessions-end
    """,
    Visitor.KEYED: """
        mfa_index mfa_list_webauthn mfa_edit_webauthn mfa_remove_webauthn
        mfa_reauthenticate_webauthn
    """,
    Visitor.LONER: """
        contact-home mfa_index mfa_activate_totp mfa_list_webauthn account_email
    """,
    Visitor.CONTACT: """
        customer:overview customer:install customer:pulls customer:license-file
        customer:mails
        customer:people customer:people-invite customer:people-edit
        customer:people-send customer:people-remove
        customer:credentials customer:credentials-add customer:credentials-edit
        customer:credentials-rotate customer:credentials-revoke customer:check
        customer:identities-add customer:identities-edit customer:identities-remove
        customer:identities-test
    """,
    Visitor.NOBODY: """
        contact-link contact-unsubscribe account_request_login_code
        account_login account_signup account_inactive
        account_reset_password account_reset_password_done
        account_reset_password_from_key account_reset_password_from_key_done
        account_confirm_email account_email_verification_sent
        socialaccount_login_cancelled socialaccount_login_error invitation
    """,
}
_OTHER = {"provider": "other"}

PAGES = (
    *(
        PortalPage(route, visitor)
        for visitor, routes in _ROUTES.items()
        for route in routes.split()
    ),
    PortalPage("registries-add", state="other", query=_OTHER),
    PortalPage("registries-add", state="failed", query=_OTHER, sends=_UNREACHABLE),
    PortalPage("licenses-add", state="wrong", sends={}),
    PortalPage("manifest", state="result", sends={"manifest": _MANIFEST}),
    PortalPage("private-registry", state="none-found", query=_NOTHING_FOUND),
    PortalPage("customers", state="none-found", query=_NOTHING_FOUND),
    PortalPage("licenses", state="none-found", query=_NOTHING_FOUND),
    PortalPage("licenses", state="expired", query={"state": "expired"}),
    PortalPage("licenses-bulk-renew", query={"all": "1"}),
    PortalPage("licenses-bulk-channel", query={"id": "{license_id}"}),
    PortalPage("licenses-bulk-revoke", query={"all": "1", "type": "trial"}),
    PortalPage("customers-bulk-archive", query={"all": "1"}),
    PortalPage("customers-import", state="effect", sends={"text": _CUSTOMERS_TEXT}),
    PortalPage("licenses-import", state="problems", sends={"text": _LICENSES_TEXT}),
    PortalPage("licenses", state="by-expiry", query={"sort": "expires"}),
    PortalPage("customers", state="by-name", query={"sort": "name"}),
    PortalPage("licenses-detail", state="revoked", values=_REVOKED),
    PortalPage("licenses-reinstate", values=_REVOKED),
    PortalPage("customers-send", state="license", query={"license": "{license_id}"}),
    PortalPage("licenses-credentials-rotate", state="again", values=_ROTATED),
    PortalPage(
        "customer:credentials-rotate", Visitor.CONTACT, state="again", values=_ROTATED
    ),
    PortalPage("licenses-delete", values=_REVOKED),
    *(
        PortalPage("licenses-identities-add", state=kind, values={"kind": kind})
        for kind in ("github", "gitlab", "other")
    ),
    PortalPage("licenses-identities-test", state="refused", sends=_TOKEN),
    PortalPage(
        "customer:install",
        Visitor.CONTACT,
        state="kubernetes",
        query={"tool": "kubernetes"},
    ),
    PortalPage(
        "customer:install",
        Visitor.CONTACT,
        state="kustomize",
        query={"tool": "kustomize"},
    ),
    PortalPage(
        "customer:pulls",
        Visitor.CONTACT,
        state="refused",
        query={"outcome": "refused"},
    ),
    PortalPage("contact-link", Visitor.CONTACT, state="other"),
    PortalPage(
        "contact-link",
        Visitor.NOBODY,
        state="invalid",
        values={"link_secret": "{unknown_secret}"},
    ),
    PortalPage(
        "customer:check",
        Visitor.CONTACT,
        state="allowed",
        query=_CHECKED,
        sends={},
    ),
    PortalPage(
        "customer:check",
        Visitor.CONTACT,
        state="refused",
        query=_CHECKED_ELSEWHERE,
        sends={},
    ),
    PortalPage("search", state="found", query={"q": "kestrel"}),
    PortalPage("help", Visitor.NOBODY, values={"page": ""}),
    PortalPage("docs", Visitor.NOBODY),
    PortalPage("docs-section", values={"section": "licenses"}),
    PortalPage("docs-section", state="holder", values={"section": "license-holder"}),
    PortalPage("help", state="role", values={"page": "registries/amazon-ecr-role/"}),
    PortalPage("help", state="nexus", values={"page": "registries/nexus/"}),
    PortalPage("help", state="why", values={"page": "why-a-pull-fails/"}),
    PortalPage("image-names", state="kubernetes", query={"tool": "kubernetes"}),
    # What no view answers: in the frame of a team, of a customer, and of nobody.
    PortalPage("customers-detail", state="missing", values=_NO_CUSTOMER),
    PortalPage(
        "customer:credentials-edit",
        Visitor.CONTACT,
        state="missing",
        values=_NO_CREDENTIAL,
    ),
    PortalPage("help", Visitor.NOBODY, state="missing", values={"page": "nothing/"}),
    PortalPage("theme", state="opened"),
    PortalPage("pulls", state="refused", query={"outcome": "license_revoked"}),
    PortalPage("why", state="refused", query=_REFUSED_PULL),
    PortalPage("why", state="allowed", query=_GOOD_PULL),
)
