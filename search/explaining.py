"""Whether a customer may pull an image, for a text that names both."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from licenses.models import License
from licenses.selectors import TRIGRAM, licenses_for_team, licenses_matching
from oci.reference import MalformedName
from registries.decision.credentials import CURRENT_ID, Subject, SubjectKind
from registries.decision.pull import Allowed, authorize_pull
from registries.preview.manifest import Hosts
from registries.preview.typed_image import Question, image_in, question_of
from registries.selectors import pulled_images_of_customer
from registries.web.pull_links import image_name

SHOWN = 3
# Licenses of the customers meant. The image may name the application of one.
LICENSES = 10
_COMMAND = re.compile(r"(?:\A|\s)(?:docker|podman|crictl) pull\Z")


@dataclass(frozen=True, slots=True)
class Explainable:
    """A pull of an image, as it was entered or pulled, with a license."""

    license: License
    image: str
    repository: str
    is_allowed: bool


def explainable_pulls(team_id: uuid.UUID, hosts: Hosts, text: str) -> list[Explainable]:
    """Return what the text "CUSTOMER IMAGE" asks about, a few pulls at most.

    The customer is named by a part of the name or address. The image is a whole name,
    or a part of one that the customer has pulled.
    """
    before, _, last = " ".join(text.split()).rpartition(" ")
    who, image = _COMMAND.sub("", before), image_in(last)
    if not who or len(image) < TRIGRAM:
        return []
    matching = licenses_matching(licenses_for_team(team_id).unarchived(), team_id, who)
    asked = _asked(hosts, list(matching[:LICENSES]), image)
    return [_decided(team_id, *pull) for pull in islice(asked, SHOWN)]


def _asked(
    hosts: Hosts, licenses: list[License], text: str
) -> Iterator[tuple[License, str, Question]]:
    """Yield what the customers have pulled by such a name, else the name as it is."""
    is_known = False
    for image, licenses_of_customer in _pulled(licenses, text):
        if question := _question(hosts, image):
            for license in _of_application(licenses_of_customer, question):
                is_known = True
                yield license, image, question
    if not is_known and "/" in text and (question := _question(hosts, text)):
        for license in _of_application(licenses, question):
            yield license, text, question


def _pulled(licenses: list[License], text: str) -> Iterator[tuple[str, list[License]]]:
    """Yield images whose name contains a text, with the licenses of who pulled them."""
    for customer in {
        license.customer_id: license.customer for license in licenses
    }.values():
        pulls = pulled_images_of_customer(customer)
        names = dict.fromkeys(image_name(pull) for pull in pulls)
        own = [license for license in licenses if license.customer_id == customer.pk]
        for name in names:
            if text.casefold() in name.casefold():
                yield name, own


def _question(hosts: Hosts, image: str) -> Question | None:
    try:
        return question_of(
            image,
            proxy_host=hosts.proxy,
            registry_host=hosts.private_registry,
            application_slug="",
        )
    except MalformedName:
        return None


def _of_application(licenses: list[License], question: Question) -> list[License]:
    """Return the licenses of the application that an image names, or else all."""
    slug = question.application_slug
    return [row for row in licenses if row.application.slug == slug] or licenses


def _decided(
    team_id: uuid.UUID, license: License, image: str, question: Question
) -> Explainable:
    decision = authorize_pull(
        Subject(SubjectKind.LICENSE, license.pk, CURRENT_ID),
        question.application_slug or license.application.slug,
        question.upstream,
        question.repository,
        within_team=team_id,
    )
    return Explainable(
        license, image, question.repository, isinstance(decision, Allowed)
    )
