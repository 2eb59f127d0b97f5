from __future__ import annotations

from collections.abc import Mapping

from django.db import models, transaction

from audit.services import record
from audit.tags import EventTag
from licenses.models import Application, Channel, RetiredSlug
from licenses.services.licenses import raise_sequences
from portal.database.uniqueness import save_valid
from portal.errors import Conflict, Taken
from teams.actors import Actor
from teams.models import Team
from teams.permissions import Permission
from teams.services import apply_changes


@transaction.atomic
def create_application(
    *, actor: Actor, team: Team, name: str, slug: str
) -> Application:
    """Create an application with a default channel, Stable.

    Raises:
        Taken: the slug is taken, perhaps by an archived application, or retired by
            another team.
    """
    actor.require(Permission.APPLICATION_MANAGE, team_id=team.pk)
    _require_not_archived(team, slug)
    application = Application(team=team, name=name, slug=slug)
    if RetiredSlug.objects.filter(slug=slug).exclude(team=team).exists():
        taken = Application._meta.get_field("slug").error_messages["unique"]
        raise Taken("slug_taken", {"slug": [str(taken)]}, None)
    save_valid(application)
    record(actor, EventTag.APPLICATION_CREATED, application, slug=slug)
    create_channel(
        actor=actor,
        application=application,
        name="Stable",
        slug="stable",
        is_default=True,
    )
    return application


def _require_not_archived(team: Team, slug: str) -> None:
    archived = Application.objects.for_team(team.pk).filter(
        slug=slug, archived_at__isnull=False
    )
    if (existing := archived.first()) is not None:
        message = (
            f"Your archived application {existing.name} has this slug. Restore it with "
            f"POST /api/v1/applications/{slug}/restore, or choose another slug."
        )
        raise Taken("slug_taken", {"slug": [message]}, existing.pk)


@transaction.atomic
def change_application(*, actor: Actor, application: Application, name: str) -> None:
    """Rename an application. Its slug, a part of image names, is fixed."""
    actor.require(Permission.APPLICATION_MANAGE, team_id=application.team_id)
    if apply_changes(application, {"name": name}):
        record(actor, EventTag.APPLICATION_CHANGED, application, name=name)


@transaction.atomic
def create_channel(
    *,
    actor: Actor,
    application: Application,
    name: str,
    slug: str,
    is_default: bool = False,
) -> Channel:
    """Add a channel; a new default replaces the current one."""
    actor.require(Permission.APPLICATION_MANAGE, team_id=application.team_id)
    if is_default:
        _clear_default_channel(application)
    channel = Channel(
        team_id=application.team_id,
        application=application,
        name=name,
        slug=slug,
        is_default=is_default,
    )
    save_valid(channel)
    record(actor, EventTag.CHANNEL_CREATED, channel, slug=slug, is_default=is_default)
    return channel


@transaction.atomic
def change_channel(
    *, actor: Actor, channel: Channel, changes: Mapping[str, object]
) -> Channel:
    """Rename a channel, or make it the default.

    License files contain the name, so a new name raises its licenses' sequences.
    """
    actor.require(Permission.APPLICATION_MANAGE, team_id=channel.team_id)
    if changes.get("is_default") is False and channel.is_default:
        raise Conflict("default_channel", "Make another channel the default instead.")
    if changes.get("is_default") and not channel.is_default:
        _clear_default_channel(channel.application)
    changed = apply_changes(channel, changes)
    if "name" in changed:
        raise_sequences(channel.licenses.all())
    if changed:
        record(actor, EventTag.CHANNEL_CHANGED, channel, changed=changed)
    return channel


@transaction.atomic
def delete_channel(*, actor: Actor, channel: Channel) -> None:
    """Delete a channel that is not the default and has no licenses."""
    actor.require(Permission.APPLICATION_MANAGE, team_id=channel.team_id)
    if channel.is_default:
        raise Conflict(
            "default_channel",
            "The default channel cannot be deleted. Make another one the default "
            "first.",
        )
    record(actor, EventTag.CHANNEL_DELETED, channel, slug=channel.slug)
    try:
        channel.delete()
    except models.ProtectedError as error:
        raise Conflict(
            "channel_in_use", "Licenses are on this channel. Move them first."
        ) from error


def _clear_default_channel(application: Application) -> None:
    Channel.objects.for_team(application.team_id).filter(
        application=application, is_default=True
    ).update(is_default=False)
