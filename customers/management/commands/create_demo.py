from __future__ import annotations

import secrets
import shlex
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from customers.models import ListedImage
from customers.services.listed_images import list_images
from customers.services.look import change_look
from licenses.models import Application, License
from licenses.services import create_application, create_customer, issue_license
from portal.crypto.secrets import Secret
from registries.management.files import write_atomically
from registries.models import ExternalRegistry
from registries.services import NewCredential, NewRegistry, connect_registry
from teams.actors import Actor, member_actor
from teams.api_tokens import create_api_token
from teams.models import ApiToken, Membership, Team, User
from teams.selectors import api_token_by_secret
from teams.services import create_team

TEAM_SLUG = "demo"
OWNER_EMAIL = "owner@example.com"
APPLICATION_SLUG = "my-app"
REGISTRY_SLUG = "sample"


class Command(BaseCommand):
    help = (
        "Create what is missing of the demo team and its first pull, and write shell "
        "variables that describe it. For make demo only: the owner is also an operator "
        "of the installation."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sample-endpoint", required=True)
        parser.add_argument("--sample-username", required=True)
        parser.add_argument("--sample-password-file", type=Path, required=True)
        parser.add_argument("--sample-image", required=True)
        parser.add_argument("--output", type=Path, required=True)

    @transaction.atomic
    def handle(self, *args: object, **options: Any) -> None:
        output: Path = options["output"]
        known = _read_facts(output)
        owner, team = _owner_and_team()
        actor = member_actor(Membership.objects.get(team=team, user=owner))
        application = _application(actor, team)
        password = Secret(options["sample_password_file"].read_text(encoding="utf-8"))
        credential = NewCredential("password", options["sample_username"], password)
        _connect(actor, team, options["sample_endpoint"], credential)
        _list_image(actor, application, options["sample_image"])
        facts = {
            "PORTAL_URL": f"http://{settings.BERTH_PROXY_HOST}",
            "PROXY_HOST": settings.BERTH_PROXY_HOST,
            "REGISTRY_HOST": settings.BERTH_REGISTRY_HOST,
            "OWNER_EMAIL": OWNER_EMAIL,
            "OWNER_PASSWORD": _password(owner, known.get("OWNER_PASSWORD", "")),
            "API_TOKEN": _api_token(actor, team, owner, known.get("API_TOKEN", "")),
            "APP_SLUG": APPLICATION_SLUG,
            "LICENSE_ID": _license(actor, team, application).license_id.reveal(),
            "SAMPLE_IMAGE": options["sample_image"],
        }
        _write_facts(output, facts)
        self.stdout.write(f"Wrote {output}")


def _owner_and_team() -> tuple[User, Team]:
    owner = User.objects.filter(email=OWNER_EMAIL).first()
    if owner is None:
        owner = User.objects.create_superuser(OWNER_EMAIL, secrets.token_urlsafe(12))
    team = Team.objects.filter(slug=TEAM_SLUG).first()
    return owner, team or create_team(name="Demo", slug=TEAM_SLUG, owner=owner)


def _password(owner: User, known: str) -> str:
    """Return the known password if it is still valid, or set a new one."""
    if known and owner.check_password(known):
        return known
    password = secrets.token_urlsafe(12)
    owner.set_password(password)
    owner.save(update_fields=["password"])
    return password


def _api_token(actor: Actor, team: Team, owner: User, known: str) -> str:
    if known and api_token_by_secret(Secret(known)) is not None:
        return known
    _, text = create_api_token(
        actor=actor, team=team, name="Demo", kind=ApiToken.Kind.USER, user=owner
    )
    return text.reveal()


def _application(actor: Actor, team: Team) -> Application:
    applications = Application.objects.for_team(team.pk)
    return applications.filter(slug=APPLICATION_SLUG).first() or create_application(
        actor=actor, team=team, name="My app", slug=APPLICATION_SLUG
    )


def _connect(
    actor: Actor, team: Team, endpoint: str, credential: NewCredential
) -> None:
    registries = ExternalRegistry.objects.for_team(team.pk)
    if not registries.filter(slug=REGISTRY_SLUG).exists():
        new = NewRegistry("other", endpoint, credential, slug=REGISTRY_SLUG)
        connect_registry(actor=actor, team=team, new=new)


def _list_image(actor: Actor, application: Application, image: str) -> None:
    """List the image for customers, who else would see no name before a first pull."""
    listed = ListedImage.objects.for_team(application.team_id)
    if not listed.filter(application=application).exists():
        path = f"{APPLICATION_SLUG}/{REGISTRY_SLUG}/{image}"
        name = f"{settings.BERTH_PROXY_HOST}/proxy/{path}"
        described = [(name, "The sample image: a greeting in a file")]
        list_images(actor=actor, application=application, images=described)
        look = {"support_email": "help@example.com"}
        change_look(actor=actor, team=application.team, changes=look)


def _license(actor: Actor, team: Team, application: Application) -> License:
    licenses = License.objects.for_team(team.pk).filter(application=application)
    if (oldest := licenses.order_by("created_at").first()) is not None:
        return oldest
    customer = create_customer(
        actor=actor, team=team, name="Example Corp", email="it@example.com"
    )
    return issue_license(
        actor=actor, customer=customer, application=application, type="paid"
    )


def _read_facts(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    words = shlex.split(path.read_text(encoding="utf-8"))
    return dict(word.split("=", 1) for word in words)


def _write_facts(path: Path, facts: dict[str, str]) -> None:
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in facts.items())
    write_atomically(path, text)
