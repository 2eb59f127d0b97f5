"""A team with believable data of every kind and state, for screenshots and tests.

Everything is the same each time, but the instants: they lead up to now.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from unittest import mock

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.apps import apps
from django.db import transaction
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from licenses.models import Application, License, PullCredential
from licenses.services import (
    archive_customer,
    change_license,
    create_application,
    create_channel,
    create_customer,
    create_license_field,
    create_pull_credential,
    download_license_file,
    issue_license,
    reinstate_license,
    revoke_leaked,
    revoke_license,
    revoke_pull_credential,
    rotate_pull_credential,
    touch_pull_credential,
)
from teams.actors import NO_REQUEST, Actor, member_actor
from teams.api_tokens import create_api_token
from teams.invitations import invite
from teams.models import ApiToken, Membership, Session, Team, User
from teams.permissions import Role
from teams.services import add_member, change_team, create_service_account, create_team
from teams.sign_in.sessions import note_browser
from tests.support.example import names
from tests.support.example.alerts import add_alerts
from tests.support.example.bulk import add_result
from tests.support.example.customers import add_contacts
from tests.support.example.identities import add_identities
from tests.support.example.images import add_images
from tests.support.example.listed_images import add_listed_images
from tests.support.example.pulls import add_pulls
from tests.support.example.registries import add_registries
from tests.support.pages.reading import give_password
from tests.support.stacks.portal_stack import ExampleTeam

DAY = timedelta(days=1)


def session_of(user: User, address: str = "198.51.100.7") -> str:
    """Sign a user in and return the session's key, which is the cookie's value."""
    client = Client()
    client.force_login(user)
    # As if the user had just shown once more who they are, and always did.
    request = HttpRequest()
    request.META = {
        "BERTH_CLIENT_ADDRESS": address,
        "HTTP_USER_AGENT": names.USER_AGENT,
    }
    request.session = client.session
    note_browser(request)
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
def fill_example_team(slug: str) -> ExampleTeam:
    """Make a team of an invented company, as it may look after a year."""
    picks = random.Random(slug)  # noqa: S311 -- invented names and dates
    email, name = names.OWNER
    with _some_time_ago(400):
        owner = User.objects.create_user(email, name=name)
        team = create_team(name=names.TEAM_NAME, slug=slug, owner=owner)
        actor = member_actor(Membership.objects.get(team=team, user=owner))
        change_team(actor=actor, team=team, changes={"time_zone": names.TIME_ZONE})
        applications = [_application(actor, team, *row) for row in names.APPLICATIONS]
    ids = {"team": slug, **_add_people(actor, team), **_add_tokens(actor, team, owner)}
    visitors = {"owner": owner, **_visitors(team)}
    with _some_time_ago(390):
        registries = add_registries(actor, team, applications)
    _add_customers(actor, team, applications, picks)
    _date_rows(team)
    licenses = _licenses(team)
    add_pulls(licenses, registries, picks)
    ids |= _ids(applications[0], licenses, visitors)
    visitors["contact"], of_customer = add_contacts(
        actor, licenses[-4].customer, _some_time_ago
    )
    ids |= of_customer
    ids |= add_images(applications)
    add_listed_images(applications[0])
    ids |= add_alerts(actor, team, registries["quay"])
    ids |= add_result(actor, licenses[:12])
    ids["registry_id"] = str(registries["quay"].pk)
    sessions = {name: session_of(user) for name, user in visitors.items()}
    return ExampleTeam(ids, {"team": names.NEW_TEAM}, sessions)


def _application(
    actor: Actor, team: Team, name: str, slug: str, channels: Mapping[str, str]
) -> Application:
    application = create_application(actor=actor, team=team, name=name, slug=slug)
    for channel, channel_slug in channels.items():
        create_channel(
            actor=actor, application=application, name=channel, slug=channel_slug
        )
    for row in names.FIELDS:
        values = dict(zip(names.FIELD_COLUMNS, row, strict=True))
        create_license_field(actor=actor, application=application, values=values)
    return application


def _add_people(actor: Actor, team: Team) -> dict[str, str]:
    for number, (email, name, role) in enumerate(names.MEMBERS):
        with _some_time_ago(380 - 40 * number):
            user = User.objects.create_user(email, name=name)
            add_member(actor=actor, team=team, user=user, role=Role(role))
    invitations = []
    for number, (email, role) in enumerate(names.INVITED):
        with _some_time_ago(1 + number):
            invited = invite(actor=actor, team=team, email=email, role=Role(role))
            invitations.append(invited)
    invitation, secret = invitations[-1]
    admin = Membership.objects.for_team(team.pk).get(role=Role.ADMIN)
    return {
        "member_id": str(admin.pk),
        "invitation_id": str(invitation.pk),
        "secret": secret.reveal(),
    }


def _add_tokens(actor: Actor, team: Team, owner: User) -> dict[str, str]:
    with _some_time_ago(200):
        ci, *_ = [
            create_service_account(actor=actor, team=team, name=name, role=Role(role))
            for name, role in names.SERVICE_ACCOUNTS
        ]
        in_twelve_days = timezone.now() + 212 * DAY
        tokens: tuple[tuple[str, ApiToken.Kind, dict[str, Any]], ...] = (
            (
                "GitHub Actions",
                ApiToken.Kind.SERVICE_ACCOUNT,
                {"service_account": ci},
            ),
            (
                "Maya's laptop",
                ApiToken.Kind.USER,
                {"user": owner, "expires_at": in_twelve_days},
            ),
            (
                "Reporting",
                ApiToken.Kind.TEAM,
                {"role": Role.READ_ONLY, "read_only": True},
            ),
        )
        for name, kind, holder in tokens:
            create_api_token(actor=actor, team=team, name=name, kind=kind, **holder)
        admin = Membership.objects.for_team(team.pk).get(role=Role.ADMIN)
        for name, kind, holder in (
            ("Nightly export", ApiToken.Kind.TEAM, {"role": Role.SUPPORT}),
            ("Jonas's laptop", ApiToken.Kind.USER, {"user": admin.user}),
        ):
            create_api_token(
                actor=member_actor(admin), team=team, name=name, kind=kind, **holder
            )
    made = ApiToken.objects.for_team(team.pk)
    for hours, name in ((2, "GitHub Actions"), (51, "Maya's laptop")):
        used_at = timezone.now() - timedelta(hours=hours)
        made.filter(name=name).update(last_used_at=used_at)
    return {
        "service_account_id": str(ci.pk),
        "api_token_id": str(made.get(name="GitHub Actions").pk),
    }


def _visitors(team: Team) -> dict[str, User]:
    """Return who looks, by the names of tests.support.browser.portal_pages.Visitor."""
    newcomer = User.objects.create_user("noor@young.example", name="Noor Haddad")
    create_team(name="Young Software", slug=names.NEW_TEAM, owner=newcomer)
    loner = User.objects.create_user("lena@alone.example", name="Lena Alone")
    people = Membership.objects.for_team(team.pk)
    guarded = people.get(role=Role.ADMIN).user
    TOTP.activate(guarded, generate_totp_secret())
    keyed = people.get(role=Role.DEVELOPER).user
    for name, is_passkey in (("MacBook", True), ("Blue key", False)):
        extensions = {"clientExtensionResults": {"credProps": {"rk": is_passkey}}}
        Authenticator.objects.create(
            user=keyed,
            type=Authenticator.Type.WEBAUTHN,
            data={"name": name, "credential": names.PASSKEY | extensions},
        )
    for user in (guarded, keyed):
        RecoveryCodes.activate(user)
    return {
        "newcomer": newcomer,
        "viewer": people.get(role=Role.READ_ONLY).user,
        "guarded": give_password(guarded),
        "keyed": give_password(keyed),
        "loner": give_password(loner),
    }


def _add_customers(
    actor: Actor, team: Team, applications: Sequence[Application], picks: random.Random
) -> None:
    for number, name in enumerate(names.CUSTOMERS):
        domain = "-".join(word for word in name.lower().split() if word.isalpha())
        with _some_time_ago(360 - 8 * number - picks.randrange(6)):
            customer = create_customer(
                actor=actor,
                team=team,
                name=name,
                email=f"it@{domain}.example",
                custom_id=f"CRM-{1000 + 7 * number}",
            )
            for application in picks.sample(applications, picks.choice((1, 1, 1, 2))):
                issue_license(
                    actor=actor,
                    customer=customer,
                    application=application,
                    **_terms(application, picks),
                )
    _live_on(actor, _licenses(team))


def _terms(application: Application, picks: random.Random) -> dict[str, Any]:
    type_ = picks.choice(("paid", "paid", "paid", "paid", "trial", "dev"))
    days = {"trial": 30, "dev": None}.get(type_, 365)
    return {
        "type": type_,
        "channel": picks.choice(list(application.channels.order_by("slug"))),
        "expires_at": timezone.now() + days * DAY if days else None,
        "field_values": {
            "seats": picks.choice((10, 25, 50, 100, 250)),
            "edition": picks.choice(("standard", "enterprise")),
            "sso": picks.random() < 0.5,
            "order_number": f"SO-{picks.randrange(10_000, 99_999)}",
        },
    }


def _licenses(team: Team) -> list[License]:
    """Return all as they are now, always in the same order."""
    licenses = License.objects.for_team(team.pk)
    related = licenses.select_related("team", "application", "customer")
    return list(related.order_by("customer__custom_id", "application__slug"))


def _live_on(actor: Actor, licenses: Sequence[License]) -> None:
    """Renew, revoke, reinstate and archive some of them."""
    with _some_time_ago(40):
        archive_customer(actor=actor, customer=licenses[2].customer)
    for reason, license in zip(names.REVOKE_REASONS, licenses[9::11], strict=False):
        with _some_time_ago(12):
            revoke_license(actor=actor, license=license, reason=reason)
    renewal = {"expires_at": timezone.now() + 9 * DAY}
    history: tuple[tuple[int, Callable[..., object]], ...] = (
        (12, download_license_file),
        (9, partial(revoke_license, reason="License ID was sent to a list.")),
        (8, reinstate_license),
        (3, partial(change_license, changes=renewal)),
    )
    for days, act in history:
        with _some_time_ago(days):
            act(actor=actor, license=licenses[-4])
    _add_credentials(actor, licenses[-4])
    add_identities(actor, licenses[-4])


def _add_credentials(actor: Actor, license: License) -> None:
    """Add pull credentials: one rotated, one revoked, one found in public."""
    made, secrets = {}, {}
    for days, name, networks in (
        (70, "Old build server", ()),
        (64, "Production cluster", ("203.0.113.0/24", "2001:db8:40::/48")),
        (58, "Contractor's laptop", ()),
        (20, "Staging cluster", ()),
    ):
        with _some_time_ago(days):
            made[name], secrets[name] = create_pull_credential(
                actor=actor, license=license, name=name, networks=networks
            )
    with _some_time_ago(15):
        revoke_pull_credential(actor=actor, credential=made["Old build server"])
    with _some_time_ago(11):
        revoke_leaked(secrets["Contractor's laptop"], NO_REQUEST)
    staging = made["Staging cluster"]
    for days, address in ((19, "203.0.113.40"), (4, "198.51.100.7")):
        with _some_time_ago(days):
            touch_pull_credential(
                license.team_id, staging.pk, address, "containerd/1.7.22"
            )
    with _some_time_ago(2):
        new, _ = rotate_pull_credential(
            actor=actor, credential=made["Production cluster"]
        )
    uses = (
        (made["Production cluster"], 5, "203.0.113.24", "containerd/1.7.22"),
        (new, 1, "203.0.113.31", "containerd/1.7.22"),
        (staging, 3, "203.0.113.40", "containerd/1.7.22"),
    )
    for credential, hours, address, client in uses:
        PullCredential.objects.filter(pk=credential.pk).update(
            last_used_at=timezone.now() - timedelta(hours=hours),
            last_used_address=address,
            last_used_client=client,
        )


def _ids(
    application: Application, licenses: Sequence[License], visitors: dict[str, User]
) -> dict[str, str]:
    shown = licenses[-4]
    revoked = next(license for license in licenses if license.revoked_at)
    guarded = visitors["guarded"]
    elsewhere = Session.objects.get(session_key=session_of(guarded, "198.51.100.23"))
    keys = Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN)
    return {
        # Of links that were mailed, and work no more.
        "uidb36": "x",
        "key": "1-2",
        "pk": str(keys.filter(user=visitors["keyed"]).latest("pk").pk),
        "session_id": str(elsewhere.pk),
        "application_slug": application.slug,
        "application_id": str(application.pk),
        "channel_id": str(application.channels.get(slug="beta").pk),
        "field_id": str(application.license_fields.get(name="edition").pk),
        "customer_id": str(shown.customer_id),
        "license_id": str(shown.pk),
        "credential_id": str(shown.pull_credentials.get(name="Staging cluster").pk),
        "identity_id": str(shown.trusted_identities.get(label="Cluster EU").pk),
        "kind": "kubernetes",
        "rotated_credential_id": str(
            shown.pull_credentials.current().get(name="Production cluster").pk
        ),
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
