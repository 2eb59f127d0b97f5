from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from teams.actors import member_actor
from teams.api_tokens import create_api_token
from teams.models import ApiToken, User
from teams.selectors import members_of_team
from teams.services import create_team


class Command(BaseCommand):
    help = (
        "Create a team owned by a user, and print an API token of that user. The token "
        "cannot be shown again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--name", help="Defaults to the slug.")
        parser.add_argument("--owner", required=True, help="The user's e-mail address.")

    def handle(self, *args: object, **options: Any) -> None:
        owner = User.objects.filter(email__iexact=options["owner"]).first()
        if owner is None:
            raise CommandError(
                f"No user {options['owner']}. Create it: manage.py createsuperuser"
            )
        try:
            team = create_team(
                name=options["name"] or options["slug"],
                slug=options["slug"],
                owner=owner,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        actor = member_actor(members_of_team(team.pk).get(user=owner))
        _, text = create_api_token(
            actor=actor,
            team=team,
            name="First token",
            kind=ApiToken.Kind.USER,
            user=owner,
        )
        self.stdout.write(text.reveal())
