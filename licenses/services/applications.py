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
    _require_free(team, slug)
    application = Application(team=team, name=name, slug=slug)
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


def _require_free(team: Team, slug: str) -> None:
    _require_not_archived(team, slug)
    if RetiredSlug.objects.filter(slug=slug).exclude(team=team).exists():
        taken = Application._meta.get_field("slug").error_messages["unique"]
        raise Taken("slug_taken", {"slug": [str(taken)]}, None)


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
    """Rename an application. Its slug and all image names stay the same."""
    actor.require(Permission.APPLICATION_MANAGE, team_id=application.team_id)
    if apply_changes(application, {"name": name}):
        record(actor, EventTag.APPLICATION_CHANGED, application, name=name)


@transaction.atomic
def change_slug(
    *, actor: Actor, application: Application, slug: str, confirmed: str = ""
) -> Application:
    """Give an application another slug, and return it.

    Image names begin with the slug, so pulls by the old names are refused within one
    second. License files contain it, so all sequences are raised. No other team can
    ever take the old slug; this one can.

    Raises:
        Conflict: the application has images in the private registry, which cannot be
            renamed; or active licenses, unless ``confirmed`` is the current slug.
        Taken: the slug is taken, perhaps by an archived application, or retired by
            another team.
        ValidationError: it is no slug, or reserved.
    """
    actor.require(Permission.APPLICATION_MANAGE, team_id=application.team_id)
    # Locked, so that nobody can issue a license with the old slug.
    rows = Application.objects.for_team(application.team_id).select_for_update()
    application = rows.get(pk=application.pk)
    old = application.slug
    if slug == old:
        return application
    _require_free(application.team, slug)
    apply_changes(application, {"slug": slug})
    if application.image_repositories.exists():
        raise Conflict(
            "application_has_images",
            "This application has images in the private registry, which are stored "
            "under its slug. Delete the images first, and push them again later.",
        )
    if confirmed != old:
        _refuse_in_use(application, old)
    RetiredSlug.objects.get_or_create(
        slug=old, defaults={"team_id": application.team_id}
    )
    raise_sequences(application.licenses.all())
    record(
        actor, EventTag.APPLICATION_CHANGED, application, slug=slug, previous_slug=old
    )
    return application


def _refuse_in_use(application: Application, slug: str) -> None:
    active = application.licenses.active().count()
    if active:
        raise Conflict(
            "application_in_use",
            f"Pulls by image names with {slug} would stop, and {active} active "
            f"licenses use them. To change it all the same, send ?confirm={slug}.",
            in_use={"active_licenses": active},
        )


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
