"""Mails to customers' contacts, in the vendor's name."""

from __future__ import annotations

import uuid
from datetime import datetime
from email.utils import formataddr, parseaddr
from typing import Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from rest_framework.request import Request

from customers.accent import Accent, accents
from customers.models import Contact, CustomerLink, VendorLook, name_for_customer
from customers.selectors import applications_of_customer, look_of_team
from customers.unsubscribing import unsubscribe_token
from licenses.models import License, Notice, NoticeKind
from portal.crypto.secrets import Secret
from teams.mail import store_mail

BERTH_BLUE = "#1b55a6"


def contact_mail(
    look: VendorLook, template: str, to: str, context: dict[str, Any]
) -> EmailMultiAlternatives:
    """Return a mail to a contact: text and HTML of ``template``, with its subject.

    It comes from the installation's address in the vendor's name, and answers go to the
    vendor. It loads nothing from anywhere, so that nobody learns when it is read.
    """
    shown = {"look": look, "accent": mail_accent(look), **context}
    with timezone.override(ZoneInfo(look.team.time_zone)):
        subject = render_to_string(f"customers/mail/{template}_subject.txt", shown)
        text = render_to_string(f"customers/mail/{template}.txt", shown)
        html = render_to_string(f"customers/mail/{template}.html", shown)
    reply_to = look.reply_to or look.support_email
    return EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=text,
        from_email=_sender(look),
        to=[to],
        reply_to=[reply_to] if reply_to else [],
        alternatives=[(html, "text/html")],
    )


def mail_accent(look: VendorLook) -> Accent:
    """Return the vendor's color on white."""
    return accents(look.accent or BERTH_BLUE)[0]


def link_mail(
    look: VendorLook,
    contact: Contact,
    *,
    link: str,
    message: str,
    until: datetime,
    inviter: str = "",
    license: License | None = None,
) -> EmailMultiAlternatives:
    """Return the mail with a link that signs a contact in.

    ``inviter`` is the contact who sends it; the vendor's members are not named. The
    mail is about ``license``, or else about all that the customer has.
    """
    licenses = (
        [name_for_customer(license)]
        if license
        else applications_of_customer(contact.customer)
    )
    context = {
        "contact": contact,
        "customer": contact.customer,
        "licenses": licenses,
        "inviter": inviter,
        "link": link,
        "pages": f"{urljoin(link, '/')[:-1]}{_overview(contact.customer_id)}",
        "message": message,
        "until": until,
    }
    return contact_mail(look, "link", contact.email, context)


def store_link_mail(
    link: CustomerLink, secret: Secret, *, site: str, inviter: str = ""
) -> None:
    """Store the mail of a link in the current transaction; a worker sends it."""
    path = reverse("contact-link", kwargs={"link_secret": secret.reveal()})
    mail = link_mail(
        look_of_team(link.contact.team),
        link.contact,
        link=f"{site}{path}",
        message=link.message,
        until=link.expires_at,
        inviter=inviter,
        license=link.license,
    )
    store_mail(mail)


def notice_mail(
    look: VendorLook, contact: Contact, notice: Notice
) -> EmailMultiAlternatives:
    """Return the mail that tells a contact of a notice, with ways to unsubscribe.

    The headers are those of RFC 2369 and RFC 8058, for a button of the mail program.
    """
    site = settings.BERTH_PORTAL_URL.rstrip("/")
    token = unsubscribe_token(contact, NoticeKind(notice.kind))
    pages = {"customer_id": contact.customer_id}
    unsubscribe = f"{site}{reverse('contact-unsubscribe', kwargs={'token': token})}"
    context = {
        "notice": notice,
        "license": notice.license,
        "application": notice.license.application.name,
        "contact": contact,
        "customer": contact.customer,
        "link": f"{site}{_overview(contact.customer_id)}",
        "unsubscribe": unsubscribe,
        "choices": f"{site}{reverse('customer:mails', kwargs=pages)}",
    }
    mail = contact_mail(look, "notice", contact.email, context)
    mail.extra_headers |= {
        "List-Unsubscribe": f"<{unsubscribe}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    return mail


def _overview(customer_id: uuid.UUID) -> str:
    return reverse("customer:overview", kwargs={"customer_id": customer_id})


def site_of(request: HttpRequest | Request) -> str:
    """Return the portal's address for links in mails, without a slash at its end."""
    return settings.BERTH_PORTAL_URL.rstrip("/") or request.build_absolute_uri("/")[:-1]


def _sender(look: VendorLook) -> str:
    _, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return formataddr((look.name, address))
