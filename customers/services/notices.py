"""Turns notices into mails to contacts.

A notice is dispatched once: its mails are stored in the transaction that marks it, and
a worker sends them as it does all stored mails.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from alerts.claims import Turns
from customers.mail import notice_mail
from customers.selectors import look_of_team, mailed_kinds, recipients
from licenses.models import LicenseState, Notice, NoticeKind
from teams.mail import store_mail
from teams.models import StoredMail

BATCH = 20
# One team's thousand notices must not delay the mails of others by more than this.
MAX_WAITING_MAILS = 200
NOTICES_KEPT = timedelta(days=90)
_TRUE_IN = {
    NoticeKind.LICENSE_ISSUED: {LicenseState.ACTIVE},
    NoticeKind.LICENSE_CHANGED: {LicenseState.ACTIVE, LicenseState.EXPIRED},
    NoticeKind.LICENSE_EXPIRING: {LicenseState.ACTIVE},
    NoticeKind.LICENSE_EXPIRED: {LicenseState.EXPIRED},
    NoticeKind.LICENSE_REVOKED: {LicenseState.REVOKED},
    NoticeKind.LICENSE_REINSTATED: {LicenseState.ACTIVE, LicenseState.EXPIRED},
    NoticeKind.CREDENTIAL_EXPIRING: {LicenseState.ACTIVE},
    # Whatever became of the license: the secret was in public.
    NoticeKind.SECRET_LEAKED: set(LicenseState),
}
logger = logging.getLogger(__name__)


def dispatch_notices() -> int:
    """Store the mails of new notices, teams in turn; return how many notices.

    Stops while many mails wait, and goes on when it is called again.
    """
    if not settings.BERTH_PORTAL_URL:
        if _waiting().exists():
            logger.warning("Mails to contacts wait: set BERTH_PORTAL_URL for links.")
        return 0
    number, turns = 0, Turns()
    while StoredMail.objects.count() < MAX_WAITING_MAILS:
        batch = _dispatch_batch(turns)
        if not batch:
            break
        number += batch
    return number


def _waiting() -> QuerySet[Notice]:
    return Notice.objects.filter(dispatched_at__isnull=True)


@transaction.atomic
def _dispatch_batch(turns: Turns) -> int:
    new = _waiting().order_by("created_at")
    claimed = [notice.pk for notice in turns.take(new, BATCH)]
    notices = Notice.objects.filter(pk__in=claimed)
    for notice in notices.select_related(
        "license__customer", "license__application", "license__team"
    ).order_by("created_at"):
        _store_mails(notice)
    notices.update(dispatched_at=timezone.now())
    return len(claimed)


def _store_mails(notice: Notice) -> None:
    try:
        with transaction.atomic():
            for mail in _mails(notice):
                store_mail(mail)
    except Exception:  # must not keep the notices of others waiting
        logger.exception("A notice was not mailed: %s.", notice.pk)


def _mails(notice: Notice) -> Iterator[EmailMultiAlternatives]:
    license, kind = notice.license, NoticeKind(notice.kind)
    if kind not in mailed_kinds(license.team) or not _is_still_true(notice):
        return
    look = look_of_team(license.team)
    # Who is added later learns of it by the mail that lets them in.
    told = recipients(license).filter(created_at__lte=notice.created_at)
    for contact in told.exclude(unsubscriptions__kind=kind):
        yield notice_mail(look, contact, notice)


def _is_still_true(notice: Notice) -> bool:
    """Return whether a notice that may have waited is no old news."""
    license = notice.license
    if license.state() not in _TRUE_IN[NoticeKind(notice.kind)]:
        return False
    at = license.expires_at.isoformat() if license.expires_at else None
    return notice.kind != NoticeKind.LICENSE_EXPIRING or notice.data["at"] == at


def delete_old_notices() -> int:
    """Delete notices dispatched more than 90 days ago; return how many."""
    before = timezone.now() - NOTICES_KEPT
    return Notice.objects.filter(dispatched_at__lt=before).delete()[0]
