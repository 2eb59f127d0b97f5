from __future__ import annotations

import uuid

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from customers.models import (
    Contact,
    CustomerLink,
    CustomerLinkQuerySet,
    MailChoice,
    Unsubscription,
    VendorLook,
)
from customers.unsubscribing import parse_unsubscribe_token
from licenses.models import Customer, License, NoticeKind
from portal.crypto.fields import lookup_keyring
from portal.crypto.secrets import Secret
from teams.models import Membership, Team, User
from teams.selectors import members_of_team

LINK_PURPOSE = "customer-link"
# The vendor tells of a revocation in person, or chooses this mail too.
USUAL_KINDS = set(NoticeKind) - {NoticeKind.LICENSE_REVOKED}


def contacts_of_customer(customer: Customer) -> QuerySet[Contact]:
    """Return a customer's contacts by name and address."""
    return (
        Contact.objects.for_team(customer.team_id)
        .filter(customer=customer)
        .select_related("customer")
        .order_by("name", "email", "pk")
    )


def contacts_with_links(customer: Customer) -> QuerySet[Contact]:
    """Return a customer's contacts, each with ``links.all()``, newest first."""
    links = CustomerLink.objects.for_team(customer.team_id)
    newest_first = links.order_by("-created_at", "-id")
    return contacts_of_customer(customer).prefetch_related(
        Prefetch("links", newest_first)
    )


def administrators_of_customer(customer: Customer) -> QuerySet[Contact]:
    return contacts_of_customer(customer).filter(role="administrator")


def contacts_of_user(user: User) -> QuerySet[Contact]:
    """Return what a user is a contact of, of all vendors.

    Members of the vendor's team are none: they have the vendor's own pages. Nor is an
    account whose address is not proven.
    """
    if not (user.is_active and user.is_address_proven):
        return Contact.objects.none()
    colleagues = Membership.objects.filter(user=user, team=OuterRef("team"))
    return (
        Contact.objects.filter(~Exists(colleagues), email=user.email.lower())
        .select_related("customer", "team")
        .defer("customer__search_text")
        .order_by("team__name", "customer__name", "pk")
    )


def contact_at(user: User, customer_id: uuid.UUID) -> Contact | None:
    """Return the user as a contact of this customer, else None."""
    return contacts_of_user(user).filter(customer_id=customer_id).first()


def applications_of_customer(customer: Customer) -> list[str]:
    """Return the names of the applications that the customer has a license of."""
    licenses = License.objects.for_team(customer.team_id).filter(customer=customer)
    names = licenses.active().values_list("application__name", flat=True)
    return sorted(set(names))


def is_contact_address(email: str) -> bool:
    """Return whether any customer has a contact with this address."""
    return Contact.objects.filter(email=email.lower()).exists()


def is_colleague(team_id: uuid.UUID, email: str) -> bool:
    """Return whether a member of the team has this address."""
    return members_of_team(team_id).filter(user__email=email.lower()).exists()


def links_of_customer(customer: Customer) -> CustomerLinkQuerySet:
    """Return the links sent to a customer's contacts, newest first."""
    return (
        CustomerLink.objects.for_team(customer.team_id)
        .filter(contact__customer=customer)
        .select_related("contact", "contact__customer")
        .order_by("-created_at", "-id")
    )


def link_by_secret(presented: Secret) -> CustomerLink | None:
    """Return the link with this secret, open or not, else None."""
    digests = lookup_keyring().candidates(presented.reveal(), purpose=LINK_PURPOSE)
    return (
        CustomerLink.objects.filter(digest__in=digests)
        .select_related(
            "contact__customer", "team", "license__application", "license__channel"
        )
        .first()
    )


def look_of_team(team: Team) -> VendorLook:
    """Return how the team's customers see it, without the logo's bytes.

    A new row, not stored, if nothing has been chosen.
    """
    found = VendorLook.objects.for_team(team.pk).defer("logo").first()
    look = found or VendorLook(team=team, updated_at=team.created_at)
    look.team = team
    return look


def logo_by_digest(digest: str) -> VendorLook | None:
    """Return a look, of whatever team, whose logo has this SHA-256."""
    return VendorLook.objects.filter(logo_digest=digest).exclude(logo=None).first()


def recipients(license: License) -> QuerySet[Contact]:
    """Return the contacts who are told about a license: all of its customer.

    Nobody at an archived customer.
    """
    contacts = contacts_of_customer(license.customer)
    return contacts.none() if license.customer.archived_at else contacts


def mail_choice(team: Team) -> MailChoice:
    """Return which notices the team mails to contacts.

    A new row, not stored, if nothing has been chosen.
    """
    found = MailChoice.objects.for_team(team.pk).first()
    if found is not None:
        return found
    return MailChoice(team=team, kinds=sorted(USUAL_KINDS), updated_at=team.created_at)


def mailed_kinds(team: Team) -> list[str]:
    """Return the kinds of notice that the team mails to contacts, sorted."""
    return mail_choice(team).kinds


def wanted_kinds(contact: Contact) -> list[str]:
    """Return the kinds of notice that a contact gets, sorted.

    They are those that the team mails, except what the contact unsubscribed from.
    """
    stopped = Unsubscription.objects.for_team(contact.team_id).filter(contact=contact)
    unwanted = set(stopped.values_list("kind", flat=True))
    return [kind for kind in mailed_kinds(contact.team) if kind not in unwanted]


def is_unsubscribed(contact: Contact, kind: NoticeKind) -> bool:
    stopped = Unsubscription.objects.for_team(contact.team_id)
    return stopped.filter(contact=contact, kind=kind).exists()


def contact_by_unsubscribe_token(token: str) -> tuple[Contact, NoticeKind] | None:
    """Return who got a mail with this token, and of which kind, else None."""
    parsed = parse_unsubscribe_token(token)
    if parsed is None:
        return None
    contact_id, kind = parsed
    contacts = Contact.objects.select_related("customer", "team")
    contact = contacts.filter(pk=contact_id).first()
    return (contact, kind) if contact is not None else None
