"""A team with believable data of every kind and state, for screenshots and tests.

Everything is the same each time, but the instants: they lead up to now.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from unittest import mock

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.db import transaction
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from licenses.models import Application, Customer, License
from licenses.services import (
    archive_customer,
    change_license,
    create_application,
    create_channel,
    create_customer,
    create_license_field,
    download_license_file,
    issue_license,
    reinstate_license,
    revoke_license,
)
from teams.actors import Actor, member_actor
from teams.api_tokens import create_api_token
from teams.invitations import invite
from teams.models import ApiToken, Membership, Team, User
from teams.permissions import Role
from teams.services import add_member, change_team, create_service_account, create_team
from tests.support.example import names
from tests.support.example.alerts import add_alerts
from tests.support.example.images import add_images
from tests.support.example.pulls import add_pulls
from tests.support.example.registries import add_registries

DAY = timedelta(days=1)


@dataclass(slots=True)
class Example:
    """A filled team and an empty one, with who looks at their pages."""

    team: Team
    owner: User
    # Values that addresses of the filled team's pages take, and of the empty one's.
    ids: dict[str, str] = field(default_factory=dict)
    newcomer_ids: dict[str, str] = field(default_factory=dict)
    # By the names of tests.support.browser.portal_pages.Visitor.
    visitors: dict[str, User] = field(default_factory=dict)

    def ids_for(self, visitor: str) -> dict[str, str]:
        return self.newcomer_ids if visitor == "newcomer" else self.ids


def session_of(user: User) -> str:
    """Sign a user in and return the session's key, which is the cookie's value."""
    client = Client()
    client.force_login(user)
    # As if the user had just shown once more who they are, and always did.
    request = HttpRequest()
    request.session = client.session
    record_authentication(
        request,
        user,
        method="password",
        reauthenticated=True,
        at=(timezone.now() + DAY).timestamp(),
    )
    request.session.save()
    return client.cookies["sessionid"].value


@transaction.atomic
def fill_example_team(slug: str) -> Example:
    """Make a team of an invented company, as it may look after a year."""
    picks = random.Random(slug)  # noqa: S311 -- invented names and dates
    email, name = names.OWNER
    with _some_time_ago(400):
        owner = User.objects.create_user(email, name=name)
        team = create_team(name=names.TEAM_NAME, slug=slug, owner=owner)
        actor = member_actor(Membership.objects.get(team=team, user=owner))
        change_team(actor=actor, team=team, changes={"time_zone": names.TIME_ZONE})
        applications = [_application(actor, team, *each) for each in names.APPLICATIONS]
    example = Example(team, owner)
    _add_people(actor, example)
    _add_visitors(example)
    with _some_time_ago(390):
        registries = add_registries(actor, team, applications)
    licenses = _add_customers(actor, example, applications, picks)
    _date_rows(team)
    add_pulls(team, licenses, registries, picks)
    example.ids |= add_images(team, applications, licenses, picks)
    _note_ids(example, applications, licenses)
    example.ids["registry_id"] = str(registries["quay"].pk)
    webhook = add_alerts(actor, team, registries["quay"])
    example.ids["webhook_id"] = str(webhook.pk)
    example.ids["delivery_id"] = str(webhook.deliveries.latest("created_at").pk)
    return example


def _application(
    actor: Actor, team: Team, name: str, slug: str, channels: Sequence[str]
) -> Application:
    application = create_application(actor=actor, team=team, name=name, slug=slug)
    for each in channels:
        create_channel(
            actor=actor,
            application=application,
            name=each,
            slug=each.lower().replace(" ", "-"),
        )
    for field_name, title, type_, default, options, required in names.FIELDS:
        create_license_field(
            actor=actor,
            application=application,
            values={
                "name": field_name,
                "title": title,
                "type": type_,
                "default": default,
                "options": list(options),
                "required": required,
            },
        )
    return application


def _add_people(actor: Actor, example: Example) -> None:
    team = example.team
    for days, (email, name, role) in enumerate(names.MEMBERS):
        with _some_time_ago(380 - 40 * days):
            user = User.objects.create_user(email, name=name)
            member = add_member(actor=actor, team=team, user=user, role=Role(role))
            example.ids.setdefault("member_id", str(member.pk))
    for days, (email, role) in enumerate(names.INVITED):
        with _some_time_ago(1 + days):
            invitation, secret = invite(
                actor=actor, team=team, email=email, role=Role(role)
            )
        example.ids["invitation_id"] = str(invitation.pk)
        example.ids["secret"] = secret.reveal()
    _add_tokens(actor, example)


def _add_visitors(example: Example) -> None:
    newcomer = User.objects.create_user("noor@young.example", name="Noor Haddad")
    young = create_team(name="Young Software", slug="young", owner=newcomer)
    example.newcomer_ids["team"] = young.slug
    people = Membership.objects.for_team(example.team.pk)
    example.visitors = {
        "owner": example.owner,
        "newcomer": newcomer,
        "viewer": people.get(role=Role.READ_ONLY).user,
        "guarded": _add_app(people.get(role=Role.ADMIN).user),
        "keyed": _add_keys(people.get(role=Role.DEVELOPER).user, example),
        "loner": _with_password(
            User.objects.create_user("lena@alone.example", name="Lena Alone")
        ),
    }
    example.ids["session_id"] = str(_sign_in_elsewhere(example.visitors["guarded"]).pk)


def _with_password(user: User) -> User:
    user.set_password("an example that opens nothing")
    user.save()
    return user


def _add_app(user: User) -> User:
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    return _with_password(user)


def _sign_in_elsewhere(user: User) -> UserSession:
    return UserSession.objects.create(
        user=user,
        session_key=session_of(user),
        ip="198.51.100.23",
        user_agent=names.USER_AGENT,
    )


def _add_keys(user: User, example: Example) -> User:
    for name, is_passkey in (("MacBook", True), ("Blue key", False)):
        extensions = {"clientExtensionResults": {"credProps": {"rk": is_passkey}}}
        key = Authenticator.objects.create(
            user=user,
            type=Authenticator.Type.WEBAUTHN,
            data={"name": name, "credential": names.PASSKEY | extensions},
        )
        example.ids["pk"] = str(key.pk)
    RecoveryCodes.activate(user)
    return _with_password(user)


def _add_tokens(actor: Actor, example: Example) -> None:
    team, owner = example.team, example.owner
    with _some_time_ago(200):
        ci = create_service_account(
            actor=actor, team=team, name="ci-pipeline", role=Role.DEVELOPER
        )
        create_service_account(
            actor=actor, team=team, name="billing-sync", role=Role.SALES
        )
        tokens = [
            create_api_token(
                actor=actor,
                team=team,
                name="GitHub Actions",
                kind=ApiToken.Kind.SERVICE_ACCOUNT,
                service_account=ci,
            ),
            create_api_token(
                actor=actor,
                team=team,
                name="Maya's laptop",
                kind=ApiToken.Kind.USER,
                user=owner,
                expires_at=timezone.now() + 212 * DAY,
            ),
            create_api_token(
                actor=actor,
                team=team,
                name="Reporting",
                kind=ApiToken.Kind.TEAM,
                role=Role.READ_ONLY,
                read_only=True,
            ),
        ]
    for hours, (token, _) in zip((2, 51), tokens, strict=False):
        ApiToken.objects.for_team(team.pk).filter(pk=token.pk).update(
            last_used_at=timezone.now() - timedelta(hours=hours)
        )
    example.ids["service_account_id"] = str(ci.pk)
    example.ids["api_token_id"] = str(tokens[0][0].pk)


def _add_customers(
    actor: Actor,
    example: Example,
    applications: Sequence[Application],
    picks: random.Random,
) -> list[License]:
    licenses: list[License] = []
    for number, name in enumerate(names.CUSTOMERS):
        days = 360 - 8 * number - picks.randrange(6)
        with _some_time_ago(days):
            customer = create_customer(
                actor=actor,
                team=example.team,
                name=name,
                email=f"it@{_domain(name)}.example",
                custom_id=f"CRM-{1000 + 7 * number}",
            )
            chosen = picks.sample(applications, picks.choice((1, 1, 1, 2)))
            licenses += [_license(actor, customer, each, picks) for each in chosen]
    _live_on(actor, example, licenses)
    return licenses


def _domain(name: str) -> str:
    return "-".join(word for word in name.lower().split() if word.isalpha())


def _license(
    actor: Actor, customer: Customer, application: Application, picks: random.Random
) -> License:
    type_ = picks.choice(("paid", "paid", "paid", "paid", "trial", "dev"))
    days = {"trial": 30, "dev": None}.get(type_, 365)
    now = timezone.now()
    return issue_license(
        actor=actor,
        customer=customer,
        application=application,
        type=type_,
        channel=picks.choice(list(application.channels.order_by("slug"))),
        expires_at=now + days * DAY if days else None,
        field_values={
            "seats": picks.choice((10, 25, 50, 100, 250)),
            "edition": picks.choice(("standard", "enterprise")),
            "sso": picks.random() < 0.5,
            "order_number": f"SO-{picks.randrange(10_000, 99_999)}",
        },
    )


def _live_on(actor: Actor, example: Example, licenses: Sequence[License]) -> None:
    """Renew, revoke, reinstate and archive some of them."""
    customers = {license.customer_id: license.customer for license in licenses}
    with _some_time_ago(40):
        archive_customer(actor=actor, customer=list(customers.values())[2])
    for reason, license in zip(names.REVOKE_REASONS, licenses[9::11], strict=False):
        with _some_time_ago(12):
            revoke_license(actor=actor, license=license, reason=reason)
    shown = licenses[-4]
    for days, act in (
        (12, lambda: download_license_file(actor=actor, license=shown)),
        (
            9,
            lambda: revoke_license(
                actor=actor, license=shown, reason="License ID was sent to a list."
            ),
        ),
        (8, lambda: reinstate_license(actor=actor, license=shown)),
        (
            3,
            lambda: change_license(
                actor=actor,
                license=shown,
                changes={"expires_at": timezone.now() + 12 * DAY},
            ),
        ),
    ):
        with _some_time_ago(days):
            act()


def _note_ids(
    example: Example, applications: Sequence[Application], licenses: Sequence[License]
) -> None:
    application = applications[0]
    shown = licenses[-4]
    revoked = next(
        each
        for each in licenses
        if License.objects.for_team(example.team.pk)
        .filter(pk=each.pk, revoked_at__isnull=False)
        .exists()
    )
    channel = application.channels.get(slug="beta")
    example.ids |= {
        # Of links that were mailed, and work no more.
        "uidb36": "x",
        "key": "1-2",
        "team": example.team.slug,
        "application_slug": application.slug,
        "application_id": str(application.pk),
        "channel_id": str(channel.pk),
        "field_id": str(application.license_fields.get(name="edition").pk),
        "customer_id": str(shown.customer_id),
        "license_id": str(shown.pk),
        "revoked_license_id": str(revoked.pk),
    }


def _date_rows(team: Team) -> None:
    """Date everything by its first audit event: columns' defaults know no pretence."""
    for event in AuditEvent.objects.filter(team=team).order_by("-created_at"):
        rows = apps.get_model(event.subject_kind)._base_manager
        rows.filter(pk=event.subject_id).update(created_at=event.created_at)
    for member in Membership.objects.for_team(team.pk).select_related("user"):
        member.created_at = member.user.created_at
        member.save(update_fields=["created_at"])


@contextmanager
def _some_time_ago(days: int) -> Iterator[None]:
    """Let services believe that it is then, in what they date and compare."""
    then = timezone.now() - timedelta(days=days, minutes=37 * days % 600)
    with mock.patch("django.utils.timezone.now", return_value=then):
        yield
