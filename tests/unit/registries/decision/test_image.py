"""Pull, push and delete in the private registry: who may, and what others are told."""

from __future__ import annotations

import pytest

from licenses.services import revoke_license
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.image import ImageAccess, decide_image
from registries.decision.pull import Allowed, Decision, Denied
from registries.decision.query import fetch_facts
from registries.models.outcomes import Reason
from teams.models import ApiToken, User
from teams.permissions import Role
from teams.services import add_member
from tests.support.rows.vendor import Vendor, create_vendor

ACTIONS = ("pull", "push", "delete")


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


def team_token(vendor: Vendor, role: Role, *, read_only: bool = False) -> Subject:
    api_token, _ = vendor.api_token(ApiToken.Kind.TEAM, role=role, read_only=read_only)
    return Subject(SubjectKind.API_TOKEN, api_token.pk)


def decided(subject: Subject | None, repository: str, action: str) -> Decision:
    access = ImageAccess(repository, action)
    facts = fetch_facts(subject, [access.wanted])
    return decide_image(facts, facts.images[0], access)


def allowed(subject: Subject | None, repository: str) -> set[str]:
    return {
        action
        for action in ACTIONS
        if isinstance(decided(subject, repository, action), Allowed)
    }


def denied(subject: Subject | None, repository: str, action: str) -> Denied:
    decision = decided(subject, repository, action)
    assert isinstance(decision, Denied)
    return decision


@pytest.mark.parametrize(
    ("role", "read_only", "actions"),
    [
        (Role.DEVELOPER, False, set(ACTIONS)),
        (Role.DEVELOPER, True, {"pull"}),
        (Role.SUPPORT, False, set()),
        (Role.READ_ONLY, True, set()),
    ],
)
def test_a_role_says_what_a_login_may(
    vendor: Vendor, role: Role, read_only: bool, actions: set[str]
) -> None:
    subject = team_token(vendor, role, read_only=read_only)
    image = f"{vendor.application.slug}/worker"

    assert allowed(subject, image) == actions
    assert allowed(subject, f"{create_vendor().application.slug}/worker") == set()
    assert allowed(subject, vendor.application.slug) == set()


def test_a_member_acts_in_each_of_their_teams_by_its_role(vendor: Vendor) -> None:
    other = create_vendor()
    user = User.objects.create_user("both@example.com")
    add_member(actor=vendor.actor, team=vendor.team, user=user, role=Role.DEVELOPER)
    add_member(actor=other.actor, team=other.team, user=user, role=Role.SALES)
    subject = Subject(SubjectKind.USER, user.pk)

    assert allowed(subject, f"{vendor.application.slug}/a") == set(ACTIONS)
    assert allowed(subject, f"{other.application.slug}/a") == set()
    refused = denied(subject, f"{other.application.slug}/a", "pull")
    assert refused.reason is Reason.ACTION_NOT_ALLOWED
    assert refused.message.startswith("Your role may not pull images.")


def test_a_license_only_pulls_while_it_is_in_force(vendor: Vendor) -> None:
    license = vendor.license()
    subject = Subject(SubjectKind.LICENSE, license.pk)
    image = f"{vendor.application.slug}/worker"

    assert allowed(subject, image) == {"pull"}
    refused = denied(subject, image, "delete")
    assert refused.reason is Reason.ACTION_NOT_ALLOWED
    assert (refused.team_id, refused.subject) == (vendor.team.pk, subject)

    revoke_license(actor=vendor.actor, license=license, reason="test")
    assert allowed(subject, image) == set()
    assert denied(subject, image, "push").reason is Reason.LICENSE_REVOKED


def test_strangers_cannot_tell_another_teams_slug_from_none(vendor: Vendor) -> None:
    subject = team_token(vendor, Role.OWNER)
    theirs = create_vendor().application.slug

    for action in ACTIONS:
        taken = denied(subject, f"{theirs}/worker", action)
        free = denied(subject, "nobody-has-this/worker", action)
        assert taken.message.replace(theirs, "nobody-has-this") == free.message
        assert taken.reason is free.reason is Reason.APPLICATION_MISMATCH


def test_nobody_in_particular_may_nothing(vendor: Vendor) -> None:
    image = f"{vendor.application.slug}/worker"

    assert allowed(None, image) == set()
    assert allowed(Subject(SubjectKind.API_TOKEN, vendor.team.pk), image) == set()
    assert denied(None, image, "pull").reason is Reason.CREDENTIAL_UNKNOWN


@pytest.mark.parametrize(
    ("role", "read_only", "action", "beginning"),
    [
        (Role.SUPPORT, False, "push", "The role of this team token may not push"),
        (Role.DEVELOPER, True, "push", "This API token is read-only and cannot push"),
        (Role.SUPPORT, True, "pull", "The role of this team token may not pull"),
    ],
)
def test_the_sentence_names_what_is_in_the_way(
    vendor: Vendor, role: Role, read_only: bool, action: str, beginning: str
) -> None:
    subject = team_token(vendor, role, read_only=read_only)

    refused = denied(subject, f"{vendor.application.slug}/worker", action)

    assert refused.message.startswith(beginning)
