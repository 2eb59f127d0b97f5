"""What *Check* answers: the decision of a pull, and the next step in plain words.

Nothing here may say what only the vendor knows, such as its registries: no step of the
decision's trace, and no reason but ``Denied.public_reason``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from customers.web.overview import LicenseCard
from images.selectors import missing_reference
from licenses.models import License, PullCredential
from licenses.networks import is_within
from registries.decision.credentials import CURRENT_ID, Subject, SubjectKind
from registries.decision.pull import Denied, authorize_pull
from registries.models.outcomes import Reason
from registries.preview.manifest import Hosts, ImageJudge
from registries.preview.typed_image import image_in, question_of
from registries.selectors import registries_for_team

CREDENTIALS = "credentials"
_ASK = {
    Reason.LICENSE_REVOKED: "Ask {vendor} what happened.",
    Reason.CUSTOMER_ARCHIVED: "Ask {vendor} what happened.",
    Reason.LICENSE_EXPIRED: (
        "Ask {vendor} to extend it. The same license and credentials then work again."
    ),
    Reason.REGISTRY_NOT_CONNECTED: (
        "Compare the name with the one that {vendor} gave you. If it is the same, ask "
        "{vendor} to make the image available."
    ),
    Reason.REPOSITORY_NOT_ALLOWED: (
        "Compare the name with the one that {vendor} gave you. If it is the same, ask "
        "{vendor} to make the image available."
    ),
}
_ON_CREDENTIALS = {
    Reason.CREDENTIAL_REVOKED: (
        "Use another pull credential of the license, or make a new one."
    ),
    Reason.CREDENTIAL_EXPIRED: "Let it end later, or use another one.",
}
_REPLACED = "Use the secret that replaced it. If nobody has it, rotate that one."


@dataclass(frozen=True, slots=True)
class Holder:
    """What can be checked: a license, or one of its pull credentials."""

    card: LicenseCard
    credential: PullCredential | None = None

    @property
    def license(self) -> License:
        return self.card.license

    @property
    def subject(self) -> Subject:
        if self.credential is not None:
            return Subject(SubjectKind.PULL_CREDENTIAL, self.credential.pk)
        return Subject(SubjectKind.LICENSE, self.license.pk, CURRENT_ID)


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do about a refusal: ``page`` is where, ``other`` with what."""

    text: str
    page: str = ""
    other: Holder | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether an image can be pulled.

    ``message`` is what a client prints if it is refused. ``missing`` is a tag or digest
    that is not there. ``new_name`` is the name to pull, if another was asked for.
    ``is_near`` is false if the credential is not allowed from the asker's address.
    """

    holder: Holder
    message: str = ""
    next_step: NextStep | None = None
    missing: str = ""
    new_name: str = ""
    is_near: bool = True

    @property
    def is_allowed(self) -> bool:
        return self.next_step is None


def answer_to(
    text: str,
    holder: Holder,
    *,
    hosts: Hosts,
    address: str,
    vendor: str,
    others: Sequence[Holder],
) -> Answer:
    """Decide a pull of the image in ``text`` as it would be decided now.

    ``others`` are the holders of the same customer. Nothing is pulled or counted.

    Raises:
        MalformedName: the text is no image name.
    """
    license = holder.license
    question = question_of(
        text,
        proxy_host=hosts.proxy,
        registry_host=hosts.private_registry,
        application_slug=license.application.slug,
    )
    decision = authorize_pull(
        holder.subject,
        question.application_slug,
        question.upstream,
        question.repository,
        within_team=license.team_id,
    )
    if isinstance(decision, Denied):
        reason = decision.public_reason
        if reason is Reason.APPLICATION_MISMATCH:
            step = _with_other_license(question.application_slug, vendor, others)
        else:
            step = _next_step(reason, holder, vendor)
        return Answer(holder, decision.message, step)
    networks = holder.credential.networks if holder.credential else ()
    return Answer(
        holder,
        missing=missing_reference(license.team_id, question),
        new_name=_new_name(text, license, hosts),
        is_near=is_within(address, networks),
    )


def _next_step(reason: Reason, holder: Holder, vendor: str) -> NextStep:
    is_replaced = holder.credential is not None and holder.credential.replaced_by_id
    if reason is Reason.CREDENTIAL_EXPIRED and is_replaced:
        return NextStep(_REPLACED, CREDENTIALS)
    if reason in _ON_CREDENTIALS:
        return NextStep(_ON_CREDENTIALS[reason], CREDENTIALS)
    return NextStep(_ASK.get(reason, "Ask {vendor}.").format(vendor=vendor))


def _with_other_license(
    application_slug: str, vendor: str, others: Sequence[Holder]
) -> NextStep:
    for other in others:
        if other.license.application.slug == application_slug and other.card.can_pull:
            name = other.license.application.name
            return NextStep(f"Your license for {name} includes it.", other=other)
    return NextStep(
        f"Check the name. If it is right, ask {vendor} for a license that includes it."
    )


def _new_name(text: str, license: License, hosts: Hosts) -> str:
    registries = list(registries_for_team(license.team_id))
    judge = ImageJudge(license.application, hosts, registries)
    return judge.previewed(image_in(text)).new_image
