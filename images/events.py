"""Stores the private registry's notifications of pushes, pulls and deletions.

Notifications may arrive twice, late, out of order, or never. So each counts once, an
older one does not undo a newer one, and its content is provisional until the registry
itself has confirmed it: see :mod:`images.confirmation`.

Everything that writes these rows locks them in one order, so that no two transactions
wait for each other: repository, manifests, tags, blobs. A transaction locks rows of one
repository only.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from django.core.cache import cache
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Greatest
from django.utils import timezone

from audit.services import AuditActor, record
from audit.tags import EventTag
from images.client import SUBJECT as BERTH
from images.models import ImageManifest, ImageRepository, ImageTag, RegistryNotification
from images.notifications import Action, Notification
from licenses.models import Application, License
from portal.database.retry import atomic_with_retry
from portal.wake import Task, wake
from registries.decision.credentials import Subject, SubjectKind
from registries.models import PRIVATE_REGISTRY_ID
from registries.models.outcomes import ALLOWED
from registries.pulls.events import PULLS_KEPT, Pull, credential_of, record_pull
from teams.actors import system_actor
from teams.selectors import actor_in_team, actor_of_api_token, api_token_by_id

# Distribution retries as long as it runs; it repeats nothing after a day.
REMEMBERED = timedelta(days=7)
LOOKUP_SECONDS = 60
_REMEMBER = """
INSERT INTO images_registrynotification (id, received_at) VALUES (%s, %s)
ON CONFLICT DO NOTHING
"""


def take_notifications(notifications: Iterable[Notification]) -> None:
    """Store new notifications; those of unknown applications are ignored.

    Images that changed are confirmed with the registry soon afterwards.
    """
    for event in sorted(notifications, key=lambda event: event.at):
        _take(event)


# A transaction each: the locks of several repositories could cross another's.
@atomic_with_retry
def _take(event: Notification) -> None:
    slug, _, name = event.repository.partition("/")
    application = Application.objects.filter(slug=slug).first()
    if application is None or not name or event.subject == BERTH:
        return  # of no application, or Berth's own action, which it has recorded
    if not _is_new(event):
        return
    if event.action is Action.PULL:
        _pulled(application, name, event)
        return
    if event.action is Action.PUSH:
        _pushed(application, name, event)
    else:
        _deleted(application, name, event)
    wake(Task.CONFIRM_IMAGES)


def forget_notifications() -> int:
    """Delete the IDs of notifications that cannot repeat any more; return how many."""
    before = timezone.now() - REMEMBERED
    return RegistryNotification.objects.filter(received_at__lt=before).delete()[0]


def _is_new(notification: Notification) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, [notification.id, timezone.now()])
        return bool(cursor.rowcount == 1)


def _pushed(application: Application, name: str, event: Notification) -> None:
    if not event.digest:
        return
    repository = get_or_create_repository(application, name)
    manifest = get_or_create_manifest(repository, event.digest, event)
    if event.tag and _move_tag(repository, manifest, event):
        _audit(EventTag.IMAGE_PUSHED, application, repository, event)


def get_or_create_repository(application: Application, name: str) -> ImageRepository:
    """Return the row of a repository, locked, so that nobody deletes it now."""
    row = ImageRepository(
        application=application, name=name, team_id=application.team_id
    )
    # One statement: between two, a confirmation may delete the row as empty.
    ImageRepository.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["application", "name"],
        update_fields=["name"],
    )
    return ImageRepository.objects.get(application=application, name=name)


def get_or_create_manifest(
    repository: ImageRepository, digest: str, event: Notification | None = None
) -> ImageManifest:
    """Return the row of a manifest; it is unconfirmed if it is new or newly pushed."""
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
    """Move a tag to what was pushed; return whether it was new or named another."""
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
    """Make the deleted object unconfirmed, so that the registry is asked."""
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


def lock_repository(repository_id: uuid.UUID) -> None:
    """Lock a repository, if it exists, before any of its other rows."""
    ImageRepository.objects.select_for_update().filter(pk=repository_id).first()


def delete_if_empty(repository: ImageRepository) -> None:
    """Delete the row of a repository, which is locked, if it has no manifests."""
    if not repository.manifests.exists():
        ImageRepository.objects.filter(pk=repository.pk).delete()


def _pulled(application: Application, name: str, event: Notification) -> None:
    if event.method != "GET":
        # A lookup; a pull by digest may follow.
        _remember_lookup(event)
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
        # The image of a platform is pulled after its index and not counted.
        _count(application, name, event)


def _lookup_key(event: Notification) -> str:
    return f"lookup:{event.subject}:{event.repository}:{event.digest}"


def _remember_lookup(event: Notification) -> None:
    if event.tag:
        cache.set(_lookup_key(event), event.tag, LOOKUP_SECONDS)


def _with_tag(event: Notification) -> Notification:
    """Return a pull by digest with the tag that was looked up just before.

    docker and containerd first look up the digest of a tag, and then pull the digest.
    """
    tag = "" if event.tag else cache.get(_lookup_key(event), "")
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
        credential_id=credential_of(subject),
    )
    record_pull(pull, event.at)


def _is_of_team(license_id: uuid.UUID, application: Application) -> bool:
    licenses = License.objects.for_team(application.team_id)
    return licenses.filter(pk=license_id).exists()


def _audit(
    tag: EventTag,
    application: Application,
    repository: ImageRepository,
    event: Notification,
) -> None:
    # The login shows which token of a user or service account it was.
    data = {"tag": event.tag, "digest": event.digest, "login": event.subject}
    values = {name: value for name, value in data.items() if value}
    record(_actor(application, event.subject), tag, repository, **values)


def _actor(application: Application, subject: str) -> AuditActor:
    actor = _acting(Subject.parse(subject), application.team_id)
    if actor is not None:
        return actor
    # The actor has been deleted since then.
    return system_actor(application.team, "The private registry")


def _acting(subject: Subject | None, team_id: uuid.UUID) -> AuditActor | None:
    if subject is not None and subject.kind is SubjectKind.USER:
        return actor_in_team(subject.id, team_id)
    if subject is None or subject.kind is not SubjectKind.API_TOKEN:
        return None
    api_token = api_token_by_id(subject.id)
    actor = actor_of_api_token(api_token) if api_token else None
    return actor if actor and actor.team_id == team_id else None
