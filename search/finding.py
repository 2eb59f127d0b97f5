"""What a text finds among a team's objects, in groups of a few each.

A text may be a secret: a license ID or a pull credential. Nothing here renders, stores
or logs it, and no link holds it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlencode

from django.db.models import Q
from django.urls import reverse

from images.selectors import repositories_named
from licenses.models import LicenseQuerySet
from licenses.selectors import (
    TRIGRAM,
    applications_for_team,
    contains_text,
    customers_for_team,
    is_secret,
    licenses_for_team,
    licenses_matching,
    licenses_with_id,
    pull_credentials_of_team,
)
from oci.reference import MalformedName
from portal.crypto.secrets import Secret
from portal.http.values import parse_id
from registries.decision.pull import PRIVATE_REGISTRY
from registries.preview.manifest import Hosts
from registries.preview.typed_image import Question, image_in, question_of
from registries.selectors import registries_for_team
from search.explaining import explainable_pulls
from search.pages import PAGES
from teams.actors import Actor
from teams.models import Team

SHOWN = 6
# Of a license ID's or credential's key, as pages show it.
KEY_CHARACTERS = 8
# Shorter texts begin a word of most names.
MIN_CHARACTERS = 2


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that was found, and where its page is.

    A registry has a ``health`` instead of a state.
    """

    title: str
    url: str
    detail: str = ""
    state: str = ""
    health: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Things of a kind; ``more`` is where the others are, "" if these are all."""

    name: str
    found: Sequence[Found]
    more: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A text that a member looks for."""

    text: str
    team: Team
    actor: Actor
    hosts: Hosts

    @property
    def team_id(self) -> uuid.UUID:
        return self.team.pk

    def url(self, name: str, **names: object) -> str:
        return reverse(name, kwargs={"team": self.team.slug, **names})

    def list_url(self, name: str) -> str:
        return f"{self.url(name)}?{urlencode({'search': self.text})}"


def find(search: Search) -> list[Group]:
    """Return what a text finds, the groups with nothing left out.

    A secret finds its license and nothing else.
    """
    if is_secret(search.text):
        licenses = licenses_with_id(search.team_id, Secret(search.text))
        groups = [_licenses(search, licenses, more="")]
    elif len(search.text) < MIN_CHARACTERS:
        groups = []
    else:
        groups = [finder(search) for finder in _FINDERS]
    return [group for group in groups if group.found]


def _customers(search: Search) -> Group:
    named = contains_text(search.text)
    if pk := parse_id(search.text):
        named |= Q(pk=pk)
    customers = customers_for_team(search.team_id).filter(named)
    return _group(
        "Customers",
        (
            Found(
                customer.name,
                search.url("customers-detail", customer_id=customer.pk),
                customer.email or customer.custom_id,
                "archived" if customer.archived_at else "",
            )
            for customer in customers[: SHOWN + 1]
        ),
        search.list_url("customers"),
    )


def _matching_licenses(search: Search) -> Group:
    licenses = licenses_for_team(search.team_id).unarchived()
    if pk := parse_id(search.text):
        return _licenses(search, licenses.filter(pk=pk), more="")
    matching = licenses_matching(licenses, search.team_id, search.text)
    return _licenses(search, matching, more=search.list_url("licenses"))


def _licenses(search: Search, licenses: LicenseQuerySet, *, more: str) -> Group:
    return _group(
        "Licenses",
        (
            Found(
                f"{license.customer.name}: {license.application.name}",
                search.url("licenses-detail", license_id=license.pk),
                f"{license.channel.name}, {license.type}",
                license.standing(),
            )
            for license in licenses[: SHOWN + 1]
        ),
        more,
    )


def _credentials(search: Search) -> Group:
    """Find pull credentials by name, or by the key that pages show of them."""
    is_indexed = len(search.text) >= TRIGRAM
    by_text = Q(**{f"name__i{'contains' if is_indexed else 'startswith'}": search.text})
    key = search.text.removeprefix("berth_pull_").rstrip("…")
    if len(key) >= KEY_CHARACTERS:
        by_text |= Q(key__startswith=key)
    credentials = pull_credentials_of_team(search.team_id).filter(by_text)
    return _group(
        "Pull credentials",
        (
            Found(
                credential.name,
                search.url("licenses-detail", license_id=credential.license_id)
                + "#pull-credentials",
                f"{credential.license.customer.name}, "
                f"{credential.key[:KEY_CHARACTERS]}…",
                credential.state(),
            )
            for credential in credentials[: SHOWN + 1]
        ),
    )


def _applications(search: Search) -> Group:
    named = Q(name__icontains=search.text) | Q(slug__icontains=search.text)
    applications = applications_for_team(search.team_id).filter(named)
    return _group(
        "Applications",
        (
            Found(
                application.name,
                search.url("applications-detail", application_slug=application.slug),
                application.slug,
            )
            for application in applications[: SHOWN + 1]
        ),
    )


def _registries(search: Search) -> Group:
    named = Q(slug__icontains=search.text) | Q(endpoint__icontains=search.text)
    registries = registries_for_team(search.team_id).filter(named)
    return _group(
        "Registries",
        (
            Found(
                registry.slug,
                search.url("registries-detail", registry_id=registry.pk),
                registry.endpoint,
                health=registry.health,
            )
            for registry in registries.prefetch_related(None)[: SHOWN + 1]
        ),
    )


def _explanations(search: Search) -> Group:
    """Find whether a customer may pull an image, for a text that names both."""
    pulls = explainable_pulls(search.team_id, search.hosts, search.text)
    return Group(
        "Pulls",
        [
            Found(
                f"Explain why {pull.license.customer.name} "
                f"{'can' if pull.is_allowed else 'cannot'} pull {pull.repository}",
                search.url("why")
                + "?"
                + urlencode({"license": pull.license.pk, "image": pull.image}),
                pull.license.application.name,
            )
            for pull in pulls
        ],
    )


def _images(search: Search) -> Group:
    """Find images of the private registry by name, and any by its whole name."""
    return _group("Images", [*_as_pasted(search), *_private_images(search)])


def _as_pasted(search: Search) -> Iterator[Found]:
    image = image_in(search.text)
    question = _question(search, image)
    if question is None:
        return
    repository = question.repository
    if question.upstream != PRIVATE_REGISTRY:
        repository = f"{question.upstream}/{repository}"
    pulls = urlencode({"search": repository})
    yield Found(
        f"Pulls of {question.repository}",
        f"{search.url('pulls')}?{pulls}",
        "who pulled it, and how it ended",
    )
    yield Found(
        f"Why does a pull of {question.repository} fail?",
        f"{search.url('why')}?{urlencode({'image': image})}",
        "choose a customer",
    )


def _question(search: Search, image: str) -> Question | None:
    if "/" not in image:
        return None
    try:
        return question_of(
            image,
            proxy_host=search.hosts.proxy,
            registry_host=search.hosts.private_registry,
            application_slug="",
        )
    except MalformedName:
        return None


def _private_images(search: Search) -> Iterator[Found]:
    name = image_in(search.text).rpartition("/")[2].partition(":")[0]
    for repository in repositories_named(search.team_id, name)[: SHOWN + 1]:
        yield Found(
            f"{repository.application.slug}/{repository.name}",
            search.url("images-detail", image_id=repository.pk),
            "private registry",
        )


def _pages(search: Search) -> Group:
    text = search.text.casefold()
    return _group(
        "Pages",
        (
            Found(page.title, search.url(page.name), page.detail)
            for page in PAGES
            if search.actor.may(page.permission) and page.matches(text)
        ),
    )


def _group(
    name: str, found: Iterator[Found] | Sequence[Found], more: str = ""
) -> Group:
    items = list(islice(found, SHOWN + 1))
    return Group(name, items[:SHOWN], more if len(items) > SHOWN else "")


_FINDERS: tuple[Callable[[Search], Group], ...] = (
    _explanations,
    *(_customers, _matching_licenses, _credentials, _images),
    *(_applications, _registries, _pages),
)
