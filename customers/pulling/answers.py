"""What *Check* answers: the decision of a pull, and the next step in plain words.

Nothing here may say what only the vendor knows, such as its registries: no step of the
decision's trace, and no reason but ``Denied.public_reason``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from customers.pulling.outcomes import PublicOutcome, public_outcome
from images.selectors import missing_reference
from licenses.models import License, PullCredential
from licenses.models.licenses import Standing
from licenses.networks import is_within
from registries.decision.credentials import CURRENT_ID, Subject, SubjectKind
from registries.decision.pull import Denied, authorize_pull
from registries.models.outcomes import ALLOWED, Reason
from registries.preview.manifest import Hosts, ImageJudge
from registries.preview.typed_image import image_in, question_of
from registries.selectors import registries_for_team

CHECKS_PER_MINUTE = 30


@dataclass(frozen=True, slots=True)
class Holder:
    """What can be checked: a license, or one of its pull credentials."""

    license: License
    credential: PullCredential | None = None

    @property
    def subject(self) -> Subject:
        if self.credential is not None:
            return Subject(SubjectKind.PULL_CREDENTIAL, self.credential.pk)
        return Subject(SubjectKind.LICENSE, self.license.pk, CURRENT_ID)

    @property
    def can_pull(self) -> bool:
        """Return whether the license works."""
        return self.license.standing() in {Standing.ACTIVE, Standing.EXPIRING}


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether an image can be pulled, and the next step, "" if there is none.

    ``message`` is what a client prints if it is refused; ``other`` is what would pull
    it instead. ``missing`` is a tag or digest that is not there. ``new_name`` is the
    name to pull, if another was asked for. ``is_near`` is false if the credential is
    not allowed from the asker's address.
    """

    holder: Holder
    outcome: PublicOutcome
    next_step: str = ""
    message: str = ""
    other: Holder | None = None
    missing: str = ""
    new_name: str = ""
    is_near: bool = True

    @property
    def is_allowed(self) -> bool:
        return self.outcome.is_allowed


def answer_to(
    text: str,
    holder: Holder,
    *,
    hosts: Hosts,
    address: str,
    vendor: str,
    others: Sequence[Holder] = (),
) -> Answer:
    """Decide a pull of the image in ``text`` as it would be decided now.

    ``others`` are holders that the asker may know of, such as those of the same
    customer. Nothing is pulled or counted.

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
        return _refused(decision, question.application_slug, holder, vendor, others)
    missing = missing_reference(license.team_id, question)
    new_name = _new_name(text, license, hosts)
    networks = holder.credential.networks if holder.credential else ()
    return Answer(
        holder,
        public_outcome(ALLOWED),
        _step_if_allowed(missing, new_name, vendor),
        missing=missing,
        new_name=new_name,
        is_near=is_within(address, networks),
    )


def _refused(
    decision: Denied,
    application_slug: str,
    holder: Holder,
    vendor: str,
    others: Sequence[Holder],
) -> Answer:
    outcome = public_outcome(decision.public_reason)
    if decision.reason is Reason.APPLICATION_MISMATCH:
        for other in others:
            application = other.license.application
            if application.slug == application_slug and other.can_pull:
                step = f"Your license for {application.name} includes it."
                return Answer(holder, outcome, step, decision.message, other)
    return Answer(holder, outcome, outcome.advice_of(vendor), decision.message)


def _step_if_allowed(missing: str, new_name: str, vendor: str) -> str:
    if missing:
        return (
            f"Check the tag or digest. There is no {missing}; if {vendor} gave it to "
            "you, tell them."
        )
    return "Pull it by its new name." if new_name else ""


def _new_name(text: str, license: License, hosts: Hosts) -> str:
    registries = list(registries_for_team(license.team_id))
    judge = ImageJudge(license.application, hosts, registries)
    return judge.previewed(image_in(text)).new_image
