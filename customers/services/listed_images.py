from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.services import record
from audit.tags import EventTag
from customers.models import ListedImage
from customers.pulling.listed_images import (
    NotListable,
    judge_of,
    name_to_list,
    problems_of,
)
from licenses.models import Application
from portal.errors import Invalid
from teams.actors import Actor
from teams.permissions import Permission

MAX_LISTED = 50


@transaction.atomic
def list_images(
    *, actor: Actor, application: Application, images: Sequence[tuple[str, str]]
) -> None:
    """Replace what an application's customers are shown: images and descriptions.

    They are shown in this order, by the names to pull them by.

    Raises:
        Invalid: ``images`` has a message for each that the application may not pull.
    """
    actor.require(Permission.APPLICATION_MANAGE, team_id=application.team_id)
    lock_application(application)
    wanted = _checked(images, application)
    rows = ListedImage.objects.for_team(application.team_id).filter(
        application=application
    )
    if list(rows.order_by("position").values_list("name", "description")) == wanted:
        return
    rows.delete()
    for position, (name, description) in enumerate(wanted):
        row = ListedImage(
            team_id=application.team_id,
            application=application,
            position=position,
            name=name,
            description=description,
        )
        row.full_clean()
        row.save()
    record(
        actor,
        EventTag.APPLICATION_IMAGES_LISTED,
        application,
        images=[name for name, _ in wanted],
    )


def lock_application(application: Application) -> None:
    """Let the lists of an application change in turn."""
    applications = Application.objects.for_team(application.team_id)
    list(applications.filter(pk=application.pk).select_for_update().values("pk"))


def _checked(
    images: Sequence[tuple[str, str]], application: Application
) -> list[tuple[str, str]]:
    """Return names to store with their descriptions; raises Invalid."""
    if len(images) > MAX_LISTED:
        raise Invalid({"images": [f"List at most {MAX_LISTED} images."]})
    judge = judge_of(application)
    wanted: dict[int, tuple[str, str]] = {}
    errors: dict[int, str] = {}
    for number, (text, description) in enumerate(images, start=1):
        try:
            wanted[number] = name_to_list(text, judge), _checked_text(description)
        except NotListable as error:
            errors[number] = str(error)
    errors |= _unusable([(n, name) for n, (name, _) in wanted.items()], application)
    if errors:
        numbered = sorted(errors.items())
        raise Invalid({"images": [f"Image {n}: {text}" for n, text in numbered]})
    return list(wanted.values())


def _checked_text(description: str) -> str:
    field = ListedImage._meta.get_field("description")
    try:
        return str(field.clean(description.strip(), None))
    except ValidationError as error:
        raise NotListable(f"Its description: {' '.join(error.messages)}") from error


def _unusable(
    names: Sequence[tuple[int, str]], application: Application
) -> dict[int, str]:
    """Return what is wrong with numbered names: twice, or not to be pulled."""
    problems = problems_of([name for _, name in names], application)
    found: dict[int, str] = {}
    seen: set[str] = set()
    for number, name in names:
        problem = "It is in the list already." if name in seen else problems[name]
        if problem:
            found[number] = problem
        seen.add(name)
    return found
