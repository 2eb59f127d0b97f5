"""Writing down what the private registry tells of pushes, pulls and deletions.

Notifications may come twice, late, in another order, or never. So each counts once,
an older one does not undo a newer one, and whatever one says is only believed until
the registry itself was asked: see :mod:`registries.private_registry.confirmation`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Greatest
from django.utils import timezone

from audit.services import AuditActor, record
from audit.tags import EventTag
from images.client import SUBJECT as BERTH
from images.models import ImageManifest, ImageRepository, ImageTag, RegistryNotification
from images.notifications import Action, Notification
from licenses.models import Application, License
from portal.wake import Task, wake
from registries.decision.credentials import (
    ApiTokenHolder,
    Subject,
    SubjectKind,
    UserHolder,
    identify,
)
from registries.models import PRIVATE_REGISTRY_ID
from registries.models.outcomes import ALLOWED
from registries.pulls.events import PULLS_KEPT, Pull, record_pulls
from teams.actors import system_actor

# Distribution tries for as long as it runs; nothing is told again after a day.
REMEMBERED = timedelta(days=7)
LOOK_SECONDS = 60
_REMEMBER = """
INSERT INTO images_registrynotification (id, received_at) VALUES (%s, %s)
ON CONFLICT DO NOTHING
"""


@transaction.atomic
def take_notifications(notifications: Iterable[Notification]) -> None:
    """Write down what is new in notifications; those of unknown applications are not.

    Images that changed are confirmed with the registry soon after.
    """
    changed = False
    for each in sorted(notifications, key=lambda each: each.at):
        slug, _, name = each.repository.partition("/")
        application = Application.objects.filter(slug=slug).first()
        if application is None or not name or each.subject == BERTH:
            continue  # nobody's, or what Berth does itself and has written down
        if not _is_new(each):
            continue
        if each.action is Action.PULL:
            _pulled(application, name, each)
            continue
        changed = True
        if each.action is Action.PUSH:
            _pushed(application, name, each)
        else:
            _deleted(application, name, each)
    if changed:
        wake(Task.CONFIRM_IMAGES)


def forget_notifications() -> int:
    """Forget the IDs of notifications that will not come again; return how many."""
    before = timezone.now() - REMEMBERED
    return RegistryNotification.objects.filter(received_at__lt=before).delete()[0]


def _is_new(notification: Notification) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, [notification.id, timezone.now()])
        return bool(cursor.rowcount == 1)


def _pushed(application: Application, name: str, event: Notification) -> None:
    if not event.digest:
        return
    repository = remember_repository(application, name)
    manifest = remember_manifest(repository, event.digest, event)
    if event.tag and _move_tag(repository, manifest, event):
        _audit(EventTag.IMAGE_PUSHED, application, repository, event)


def remember_repository(application: Application, name: str) -> ImageRepository:
    """Return the row of a repository, locked, so that it is not forgotten meanwhile."""
    repository, _ = ImageRepository.objects.select_for_update().get_or_create(
        application=application, name=name, defaults={"team_id": application.team_id}
    )
    return repository


def remember_manifest(
    repository: ImageRepository, digest: str, event: Notification | None = None
) -> ImageManifest:
    """Return the row of a manifest; a new one, or a new push, waits to be confirmed."""
    manifest, is_new = ImageManifest.objects.select_for_update().get_or_create(
        repository=repository,
        digest=digest,
        defaults={
            "team_id": repository.team_id,
            "media_type": event.media_type if event else "",
            "pushed_at": event.at if event else timezone.now(),
            "pushed_by": event.subject if event else "",
        },
    )
    if event and not is_new:
        manifest.confirmed_at = None
        if event.at > manifest.pushed_at or not manifest.pushed_by:
            manifest.pushed_at, manifest.pushed_by = event.at, event.subject
        manifest.save(update_fields=["confirmed_at", "pushed_at", "pushed_by"])
    return manifest


def _move_tag(
    repository: ImageRepository, manifest: ImageManifest, event: Notification
) -> bool:
    """Have a tag name what was pushed; tell whether it named something else before."""
    tag, is_new = ImageTag.objects.select_for_update().get_or_create(
        repository=repository,
        name=event.tag,
        defaults={
            "team_id": repository.team_id,
            "manifest": manifest,
            "pushed_at": event.at,
            "pushed_by": event.subject,
        },
    )
    if is_new:
        return True
    is_newer, is_same = event.at >= tag.pushed_at, tag.manifest_id == manifest.pk
    if is_newer or (is_same and not tag.pushed_by):
        tag.manifest, tag.pushed_at = manifest, event.at
        tag.pushed_by = event.subject
    tag.confirmed_at = None
    tag.save(update_fields=["manifest", "pushed_at", "pushed_by", "confirmed_at"])
    return is_newer and not is_same


def _deleted(application: Application, name: str, event: Notification) -> None:
    """Have the registry asked whether what was deleted is gone."""
    named = Q(digest=event.digest) if event.digest else Q(tags__name=event.tag)
    manifest = (
        ImageManifest.objects.for_team(application.team_id)
        .filter(named, repository__application=application, repository__name=name)
        .select_related("repository")
        .first()
    )
    if manifest is None:
        return
    _audit(EventTag.IMAGE_DELETED, application, manifest.repository, event)
    if event.digest:
        ImageManifest.objects.filter(pk=manifest.pk).update(confirmed_at=None)
    else:
        manifest.tags.filter(name=event.tag).update(confirmed_at=None)


@transaction.atomic
def forget_if_empty(repository: ImageRepository) -> None:
    """Forget a repository that holds nothing any more."""
    locked = ImageRepository.objects.select_for_update().filter(pk=repository.pk)
    if locked.first() is not None and not repository.manifests.exists():
        locked.delete()


def _pulled(application: Application, name: str, event: Notification) -> None:
    if event.method != "GET":
        # A look that is followed by the pull, by digest, or by nothing.
        _remember_look(event)
        return
    event = _with_tag(event)
    manifests = ImageManifest.objects.for_team(application.team_id).filter(
        repository__application=application, repository__name=name
    )
    pulled = manifests.filter(digest=event.digest)
    latest = Greatest("last_pulled_at", event.at)
    pulled.update(last_pulled_at=latest)
    tags = ImageTag.objects.for_team(application.team_id).filter(manifest__in=pulled)
    (tags.filter(name=event.tag) if event.tag else tags).update(last_pulled_at=latest)
    indexes = manifests.filter(children__contains=[event.digest])
    if event.tag or tags.exists() or not indexes.exists():
        # Not so a platform's image, which is pulled after its index.
        _count(application, name, event)


def _look_key(event: Notification) -> str:
    return f"looked:{event.subject}:{event.repository}:{event.digest}"


def _remember_look(event: Notification) -> None:
    if event.tag:
        cache.set(_look_key(event), event.tag, LOOK_SECONDS)


def _with_tag(event: Notification) -> Notification:
    """Return a pull by digest as one of the tag that was looked up just before.

    docker and containerd ask which image a tag names, and then pull that.
    """
    tag = "" if event.tag else cache.get(_look_key(event), "")
    return replace(event, tag=tag) if tag else event


def _count(application: Application, name: str, event: Notification) -> None:
    subject = Subject.parse(event.subject)
    now = timezone.now()
    if subject is None or not now - PULLS_KEPT < event.at < now + timedelta(days=1):
        return
    license_id = subject.id if subject.kind is SubjectKind.LICENSE else None
    if license_id is not None and not _is_of_team(license_id, application):
        return
    pull = Pull(
        team_id=application.team_id,
        hour=event.at.replace(minute=0, second=0, microsecond=0),
        application_slug=application.slug,
        holder=str(subject),
        license_id=license_id,
        registry_id=PRIVATE_REGISTRY_ID,
        repository=name,
        reference=event.tag or event.digest,
        outcome=ALLOWED,
    )
    record_pulls({pull: 1}, at=event.at)


def _is_of_team(license_id: uuid.UUID, application: Application) -> bool:
    licenses = License.objects.for_team(application.team_id)
    return licenses.filter(pk=license_id).exists()


def _audit(
    tag: EventTag,
    application: Application,
    repository: ImageRepository,
    event: Notification,
) -> None:
    # Of a person or a service account, the login tells which of their tokens it was.
    data = {"tag": event.tag, "digest": event.digest, "login": event.subject}
    record(
        actor=_actor(application, event.subject),
        tag=tag,
        team_id=application.team_id,
        subject=repository,
        data={name: value for name, value in data.items() if value},
    )


def _actor(application: Application, subject: str) -> AuditActor:
    holder = identify(Subject.parse(subject))
    if isinstance(holder, ApiTokenHolder | UserHolder):
        actor = holder.actor_for(application.team_id)
        if actor is not None:
            return actor
    # Who did it was removed meanwhile.
    return system_actor(application.team, "The private registry")
